import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Check } from '../check.ts'

export const mounts: Check = {
  name: 'mounts',
  holds: 'as many file systems of guests are mounted as guests run',
  async run({ config, guests }) {
    const layers = join(config.home, 'docker')
    const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
    const mounted = lines.filter((line) => {
      const path = line.split(' ')[1] ?? ''
      return path.startsWith(layers) && path.endsWith('/merged')
    })
    const up = guests.filter(({ state }) => state === 'running' || state === 'paused')
    if (mounted.length <= up.length) return []
    return [
      {
        text: `${mounted.length} file systems of containers are mounted below ${layers}, and ${up.length} containers run`,
        advice: 'an engine that was killed left them: they go when it starts next',
      },
    ]
  },
}

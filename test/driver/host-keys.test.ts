import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { hostKeys } from '../../driver/host-keys.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keys-'))
  for (const { path, content, mode } of hostKeys('quay'))
    await writeFile(join(directory, basename(path)), content, { mode })
})
afterEach(() => rm(directory, { recursive: true }))

test.each(['ed25519', 'ecdsa'])('ssh-keygen reads an %s host key as the pair of its public half', async (kind) => {
  const path = join(directory, `ssh_host_${kind}_key`)
  const { stdout: derived } = await execa('ssh-keygen', ['-y', '-P', '', '-f', path])
  const { stdout: given } = await execa('cat', [`${path}.pub`])
  expect(given.split(' ').slice(0, 2)).toEqual(derived.split(' ').slice(0, 2))
  expect(given).toMatch(/ root@quay$/)
  const message = join(directory, 'message')
  await writeFile(message, 'the guest is who it says')
  await execa('ssh-keygen', ['-Y', 'sign', '-n', 'file', '-f', path, message])
  const checked = await execa('ssh-keygen', ['-Y', 'check-novalidate', '-n', 'file', '-s', `${message}.sig`], {
    input: 'the guest is who it says',
  })
  expect(checked.stdout).toMatch(/^Good "file" signature/)
})

test('two guests never have the same host keys', () => {
  const [one, other] = [hostKeys('quay'), hostKeys('quay')]
  const contents = new Set([...one, ...other].map(({ content }) => String(content)))
  expect(contents.size).toBe(one.length + other.length)
})

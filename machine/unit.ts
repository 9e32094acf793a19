/** The unit by which a joined host comes back after a boot of its machine. Source: systemd.service(5). */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Config } from '../core/config.ts'
import { layoutOf } from './layout.ts'

const directory = '/etc/systemd/system'

function unitName({ namePrefix }: Config): string {
  return `${namePrefix}-host.service`
}

/** The engine and its guests are started by `up`, and by no unit of their own: a restart of this one would otherwise take them along. */
export function hostUnit(config: Config): string {
  const berth = join(layoutOf(config.home).project, 'berth')
  return `# ${join(directory, unitName(config))}
[Unit]
Description=Berth: this machine as host ${config.hostName}
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=BERTH_HOME=${config.home}
Environment=BERTH_NAME_PREFIX=${config.namePrefix}
ExecStart=${berth} up
# What has changed is started anew, and nothing else: guests run on.
ExecReload=${berth} up
ExecStop=${berth} down
TimeoutStartSec=20min
TimeoutStopSec=10min
KillMode=mixed
Delegate=yes

[Install]
WantedBy=multi-user.target
`
}

/** @returns the path of the unit, enabled where systemd runs */
export async function installUnit(config: Config): Promise<string> {
  const path = join(directory, unitName(config))
  await writeFile(path, hostUnit(config))
  const { exitCode } = await execa('systemctl', ['enable', unitName(config)], { reject: false, timeout: 20_000 })
  return exitCode === 0 ? path : `${path}, not enabled: systemd does not run here`
}

import type { Db, Transaction } from './connect.ts'

/** '' when the guest has left none. */
export async function sealedPasswordOf(db: Db, serverId: string): Promise<string> {
  return (await db('servers').where({ id: serverId }).first('sealedPassword'))?.sealedPassword ?? ''
}

export async function clearSealedPassword(trx: Transaction, serverId: string): Promise<void> {
  await trx('servers').where({ id: serverId }).update({ sealedPassword: '' })
}

/** @returns false when there is one already: what a guest left, another process in it does not change */
export async function keepSealedPassword(db: Db, serverId: string, sealedPassword: string): Promise<boolean> {
  return (await db('servers').where({ id: serverId, sealedPassword: '' }).update({ sealedPassword })) > 0
}

/** What the DNS of a network says of itself, as bytes on the wire. */
import { expect, test } from '@jest/globals'
import { decode, encode, RECURSION_DESIRED } from 'dns-packet'
import type { Packet, RecordType } from 'dns-packet'
import { addressIn, answerFrom, questionIn, type Names } from '../../../agent/dns/answer.ts'
import { framed, framesIn } from '../../../agent/dns/resolvers.ts'

const names: Names = {
  addressesOf: (name) => Promise.resolve(name === 'web-1' || name === 'web-1.dock' ? ['10.20.0.7', 'fd00::7'] : []),
  ownerOf: (address) => {
    if (!address.startsWith('10.20.0.') && !address.startsWith('fd00:')) return Promise.resolve(null)
    return Promise.resolve({ name: address === '10.20.0.7' || address === 'fd00::7' ? 'web-1' : null })
  },
}

async function ask(name: string, type: RecordType): Promise<Packet | null> {
  const bytes = encode({ type: 'query', id: 4711, flags: RECURSION_DESIRED, questions: [{ type, name }] })
  const asked = questionIn(bytes)
  if (!asked) throw new Error('that was a question')
  const said = await answerFrom(names, asked.packet, asked.question)
  return said === null ? null : decode(said)
}

test('the name of a server of the network is its addresses of the family that is asked for', async () => {
  expect(await ask('web-1', 'A')).toMatchObject({
    id: 4711,
    rcode: 'NOERROR',
    flag_aa: true,
    flag_rd: true,
    answers: [{ type: 'A', name: 'web-1', data: '10.20.0.7' }],
  })
  expect(await ask('WEB-1.dock', 'AAAA')).toMatchObject({ answers: [{ type: 'AAAA', data: 'fd00::7' }] })
  expect(await ask('web-1', 'MX')).toMatchObject({ rcode: 'NOERROR', answers: [] })
})

test('a name of one part that nobody has is told so at once; other names are for a resolver', async () => {
  expect(await ask('nobody', 'A')).toMatchObject({ rcode: 'NXDOMAIN', answers: [] })
  expect(await ask('example.com', 'A')).toBeNull()
})

test('an address of the network is the name of its server, and one of another is for a resolver', async () => {
  expect(await ask('7.0.20.10.in-addr.arpa', 'PTR')).toMatchObject({ answers: [{ type: 'PTR', data: 'web-1' }] })
  expect(await ask('8.0.20.10.in-addr.arpa', 'PTR')).toMatchObject({ rcode: 'NXDOMAIN' })
  expect(await ask('8.8.8.8.in-addr.arpa', 'PTR')).toBeNull()
  const nibbles = '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa'
  expect(addressIn(nibbles)).toBe('fd00::7')
  expect(await ask(nibbles, 'PTR')).toMatchObject({ answers: [{ type: 'PTR', data: 'web-1' }] })
})

test('what is no question is not answered', () => {
  expect(questionIn(Buffer.from('hello'))).toBeNull()
  expect(questionIn(encode({ type: 'response', id: 1, questions: [{ type: 'A', name: 'web-1' }] }))).toBeNull()
})

test('messages of a stream are found whole, in whatever pieces they come', () => {
  const stream = Buffer.concat([framed(Buffer.from('one')), framed(Buffer.from('two'))])
  const { frames, rest } = framesIn(stream.subarray(0, 8))
  expect([frames.map(String), rest.length]).toEqual([['one'], 3])
  expect(framesIn(Buffer.concat([rest, stream.subarray(8)])).frames.map(String)).toEqual(['two'])
})

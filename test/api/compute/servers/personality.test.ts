import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { bootBody, faultIn, jobsOf, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const greeting = { path: 'etc/greeting', contents: 'SGFmZW4K' }

async function post(personality: unknown, version = '2.1'): Promise<Answer> {
  return await api.member('POST /compute/v2.1/servers', { body: bootBody(api, { personality }), version })
}

test('files of the user go with the server to its host, each below the root', async () => {
  const answer = await post([greeting, { path: '/root/note', contents: '' }])
  expect(answer.status).toBe(202)
  const { server } = z.object({ server: z.object({ id: z.uuid() }) }).parse(answer.body)
  const [job] = await jobsOf(api.db, server.id)
  expect(job).toMatchObject({
    taskIdentifier: 'schedule',
    payload: {
      personality: [
        { path: '/etc/greeting', contents: 'SGFmZW4K' },
        { path: '/root/note', contents: '' },
      ],
    },
  })
})

test.each([
  ['too many', Array.from({ length: 6 }, () => greeting), 403, 'Personality file limit exceeded'],
  ['too long a path', [{ ...greeting, path: 'x'.repeat(256) }], 403, 'Personality file path exceeds maximum 255'],
  [
    'too much in one',
    [{ ...greeting, contents: Buffer.alloc(10_241).toString('base64') }],
    403,
    'Personality file content exceeds maximum 10240',
  ],
])('%s of them is refused with the limit', async (_what, files, status, message) => {
  const answer = await post(files)
  expect([answer.status, faultIn(answer)]).toEqual([status, ['forbidden', message]])
})

test.each([
  ['content that is not base64', [{ ...greeting, contents: 'This is a test file.' }]],
  ['a path that leads out of its directory', [{ ...greeting, path: '../etc/greeting' }]],
  ['a path that is a directory', [{ ...greeting, path: '/etc/' }]],
])('%s is refused', async (_what, files) => {
  expect((await post(files)).status).toBe(400)
})

test('they are no property of a server from 2.57 on', async () => {
  expect(faultIn(await post([greeting], '2.57'))).toEqual([
    'badRequest',
    expect.stringContaining("'personality' was unexpected"),
  ])
})

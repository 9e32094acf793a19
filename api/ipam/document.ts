/** The OpenAPI document of the pool administration, and a page of it that needs nothing from elsewhere. */
import { z } from 'zod'
import type { OpenCall, Reply } from '../route.ts'
import { operations, type Operation } from './operations.ts'
import { shapeText } from './shape-text.ts'

type Json = Readonly<Record<string, unknown>>

function pathOf({ path }: Operation): string {
  return `/ipam${path.replaceAll(/:(\w+)/g, '{$1}')}`
}

function parametersOf({ path, query = {} }: Operation): readonly Json[] {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    description: name === 'address' ? 'an IP address' : 'id or name',
    schema: { type: 'string' },
  }))
  const inQuery = Object.entries(query).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string' },
  }))
  return [...inPath, ...inQuery]
}

function content(shape: z.ZodType, io: 'input' | 'output'): Json {
  return { 'application/json': { schema: z.toJSONSchema(shape, { io, target: 'draft-2020-12' }) } }
}

function operationOf(operation: Operation): Json {
  const { summary, body, reply, status, findings } = operation
  const wrong = (shape: z.ZodType): Json => ({
    description: 'what is wrong, with the field and the reason',
    content: content(shape, 'output'),
  })
  const failed = wrong(faultShape)
  return {
    summary,
    parameters: parametersOf(operation),
    ...(body ? { requestBody: { required: true, content: content(body, 'input') } } : {}),
    responses: {
      [status]: { description: 'done', ...(reply ? { content: content(reply, 'output') } : {}) },
      400: findings ? wrong(z.union([findings, faultShape])) : failed,
      404: failed,
      409: failed,
    },
  }
}

const faultShape = z.strictObject({
  error: z.strictObject({ code: z.number(), message: z.string(), title: z.string() }),
})

/** Source: OpenAPI Specification 3.1.0. */
function openApi(root: string): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const operation of operations) {
    const path = pathOf(operation)
    paths[path] = { ...paths[path], [operation.method]: operationOf(operation) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'IP pools',
      version: '1',
      description: 'Addresses of a cloud: whose they are, and who may have them. For administrators.',
    },
    servers: [{ url: root }],
    components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
    security: [{ token: [] }],
    paths,
  }
}

export function document({ root }: OpenCall): Reply {
  return { status: 200, body: openApi(root) }
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

function section(operation: Operation): string {
  const { method, summary, body, reply, status } = operation
  const rows = parametersOf(operation).map(
    (parameter) =>
      `<tr><td><code>${String(parameter.name)}</code></td><td>${String(parameter.in)}</td><td>${escaped(String(parameter.description))}</td></tr>`,
  )
  return `<details><summary><b class="${method}">${method.toUpperCase()}</b> <code>${escaped(pathOf(operation))}</code> <span>${escaped(summary)}</span></summary>
${rows.length > 0 ? `<table>${rows.join('')}</table>` : ''}
${body ? `<h4>Body</h4><pre>${escaped(shapeText(body, 'input'))}</pre>` : ''}
<h4>Reply ${status}</h4>${reply ? `<pre>${escaped(shapeText(reply, 'output'))}</pre>` : '<p>no body</p>'}</details>`
}

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2733;background:#fff}
details{border:1px solid #d5dce4;border-radius:6px;margin:.5rem 0;padding:.5rem .8rem}summary{cursor:pointer}summary span{color:#556;margin-left:.5rem}code,pre{font-family:ui-monospace,monospace}h4{margin:.8rem 0 .3rem}
b{display:inline-block;min-width:4.2rem;color:#fff;border-radius:4px;text-align:center;font-size:.8rem;padding:.1rem .3rem;margin-right:.3rem}
.get{background:#1667b7}.post{background:#2b7d3f}.patch{background:#8a5a00}.delete{background:#b3261e}
pre{background:#f4f6f8;padding:.6rem;overflow:auto;font-size:.85rem}td{padding:.1rem 1rem .1rem 0}
@media(prefers-color-scheme:dark){body{background:#12171d;color:#dfe6ee}details{border-color:#33404d}pre{background:#1b222a}summary span{color:#9fb0c0}}`

export function page(): Reply {
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>IP pools</title>
<style>${style}</style></head><body><h1>IP pools</h1><p>For administrators: send the token of the identity service as <code>X-Auth-Token</code>.
The same as <a href="v1/openapi.json">OpenAPI 3.1 document</a>; in the shell, <code>berth pool help</code>.
A field with a question mark may be missing.</p>
${operations.map(section).join('\n')}</body></html>`
  return { status: 200, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: html }
}

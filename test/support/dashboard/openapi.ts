import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { DashboardAnswer } from './dashboard.ts'

interface Operation {
  readonly operationId: string
  readonly security?: readonly object[]
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  > & { readonly 200?: { readonly 'x-events'?: Readonly<Record<string, object>> } }
}

export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** Judges answers by an OpenAPI document, and remembers which operations were asked. */
export class OpenApiJudge {
  readonly asked = new Set<string>()
  readonly #document: OpenApi
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  readonly #validators = new Map<object, ValidateFunction>()

  constructor(document: OpenApi) {
    this.#document = document
    formats.default(this.#ajv)
  }

  /** @throws Error that says what does not fit */
  judge(method: string, path: string, answer: Pick<DashboardAnswer, 'code' | 'body' | 'headers'>): void {
    const operation = this.#operationOf(method, path)
    const response = operation.responses[String(answer.code)]
    if (response === undefined) throw new Error(`${method} ${path}: ${answer.code} is not described: ${answer.body}`)
    this.asked.add(`${operation.operationId} ${answer.code}`)
    const type = answer.headers['content-type']?.split(';')[0] ?? ''
    if (response.content === undefined) {
      // A redirect tells programs more than its description promises; nothing else may.
      if (answer.body !== '') throw new Error(`${method} ${path}: a body that is not described: ${answer.body}`)
      return
    }
    const content = response.content[type]
    if (content === undefined) throw new Error(`${method} ${path}: the type "${type}" is not described`)
    if (type === 'application/json') this.#check(`${method} ${path}`, content.schema, JSON.parse(answer.body))
  }

  /** The data of one server-sent event. */
  judgeEvent(path: string, name: string, data: unknown): void {
    const schema = this.#operationOf('GET', path).responses[200]?.['x-events']?.[name]
    if (schema === undefined) throw new Error(`${path}: the event "${name}" is not described`)
    this.#check(`${path} ${name}`, schema, data)
  }

  #operationOf(method: string, path: string): Operation {
    const plain = path.split('?')[0] ?? ''
    const found = Object.entries(this.#document.paths).find(([template]) =>
      new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(plain),
    )?.[1][method.toLowerCase()]
    if (found === undefined) throw new Error(`${method} ${path} is not in the document`)
    return found
  }

  #check(what: string, schema: object, value: unknown): void {
    const validate = this.#validators.get(schema) ?? this.#ajv.compile(schema)
    this.#validators.set(schema, validate)
    if (!validate(value)) throw new Error(`${what}: ${this.#ajv.errorsText(validate.errors)}: ${JSON.stringify(value)}`)
  }
}

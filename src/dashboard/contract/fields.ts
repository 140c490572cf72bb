/**
 * Every request and answer of the dashboard's API, as schemas, by subject: the server checks what comes in with them,
 * the OpenAPI document and its tests are made from them, and the page takes its types from here. Times are RFC 3339
 * UTC, unknown facts are absent. This file has the fields that they are made of.
 */
import * as z from 'zod/mini'

export const text = (max: number) => z.string().check(z.maxLength(max))
export const optional = z.optional
export const time = () => z.iso.datetime({ offset: true })
export const whole = () => z.int().check(z.minimum(0))
/** A number in a query string. */
export const wholeText = (min: number, max: number) =>
  z.pipe(
    z.string().check(z.regex(/^\d{1,7}$/)),
    z.pipe(z.transform(Number), z.int().check(z.minimum(min), z.maximum(max))),
  )

/** Conversations and configuration. */
import * as z from 'zod/mini'
import { optional, text, time, whole } from './fields.ts'

export const SessionsQuery = z.strictObject({ profile: optional(text(200)) })
export const Sessions = z.strictObject({
  sessions: z.array(
    z.strictObject({
      profile: z.string(),
      id: z.string(),
      title: optional(z.string()),
      messages: whole(),
      updated_at: time(),
    }),
  ),
})
export type Sessions = z.infer<typeof Sessions>
export const ConfigQuery = z.strictObject({ profile: text(200) })
export const Config = z.strictObject({ text: z.string(), problems: z.array(z.string()), version: z.string() })
export type Config = z.infer<typeof Config>
export const ConfigText = z.strictObject({ text: text(65_536) })
export const ConfigEdit = z.strictObject({ profile: text(200), text: text(65_536), version: text(200) })
export const ConfigProblems = z.strictObject({ problems: z.array(z.string()) })
export type ConfigProblems = z.infer<typeof ConfigProblems>
export const ConfigWritten = z.strictObject({ problems: z.array(z.string()), version: z.string() })
export type ConfigWritten = z.infer<typeof ConfigWritten>
export const AnyJson = z.record(z.string(), z.unknown())
export const Model = z.strictObject({ model: optional(z.string()), context_window: optional(whole()) })
export const Themes = z.array(z.string())
export const Plugins = z.array(z.string())

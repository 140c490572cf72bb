import { useApp } from '../../stores/app-context.ts'

/** Options of a select: nobody, and the profiles. @param also an assignee that may be no profile */
export function Assignees({ nobody, also }: { readonly nobody: string; readonly also?: string | null }) {
  const { fleet } = useApp()
  const names = (fleet.profiles.value ?? []).map(({ name }) => name)
  const stranger = also != null && !names.includes(also) ? also : undefined
  return (
    <>
      <option value="">{nobody}</option>
      {stranger !== undefined && <option value={stranger}>{stranger} (no profile)</option>}
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </>
  )
}

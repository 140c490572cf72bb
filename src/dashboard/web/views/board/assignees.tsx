import { useApp } from '../../stores/app-context.ts'

/** Options of a select: unassigned, any profile, and the profiles. @param also an assignee that may not be a profile */
export function Assignees({ unassigned, also }: { readonly unassigned: string; readonly also?: string | null }) {
  const { fleet } = useApp()
  const names = (fleet.profiles.value ?? []).map(({ name }) => name)
  const stranger = also != null && also !== 'any' && !names.includes(also) ? also : undefined
  return (
    <>
      <option value="">{unassigned}</option>
      <option value="any">any profile</option>
      {stranger !== undefined && <option value={stranger}>{stranger} (no profile)</option>}
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </>
  )
}

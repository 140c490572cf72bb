import type { Node } from '../../../contract/nodes.ts'
import type { Profile, Profiles } from '../../../contract/slots.ts'
import { duration, ending, plural } from '../../core/format.ts'
import { nodeGatewayPath, profilePath } from '../../core/route.ts'
import { Empty, FailureMessage } from '../../parts/failure.tsx'
import { State } from '../../parts/state.tsx'
import { Ago, Since } from '../../parts/time.tsx'
import { useApp } from '../../stores/app-context.ts'
import type { Loaded } from '../../stores/async.ts'
import { performOn, useGateways, useNodes } from '../../stores/nodes.ts'
import { SlotActions } from '../slot-actions.tsx'

/** Lists every node that shares the board, with its gateways. */
export function Nodes() {
  const { client } = useApp()
  const { value, failure, reload } = useNodes(client)
  const nodes = value.value?.nodes
  return (
    <div class="page">
      <header class="page-head">
        <h1>Nodes</h1>
      </header>
      {failure.value && <FailureMessage failure={failure.value} again={() => void reload()} />}
      {nodes?.length === 0 && (
        <Empty title="No nodes" hint="Nodes share a board in PostgreSQL: set HERMES_KANBAN_DATABASE on each of them." />
      )}
      {nodes?.map((node) => (
        <NodeSection key={node.name} node={node} />
      ))}
    </div>
  )
}

function NodeSection({ node }: { readonly node: Node }) {
  const { client } = useApp()
  const gateways = useGateways(client, node.name)
  const failure = gateways.failure.value
  const labels = Object.entries(node.labels).map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  return (
    <section class="node" data-node={node.name} aria-label={`Node ${node.name}`}>
      <header>
        <h2 class="section-title">{node.name}</h2>
        <span class={`tag node-${node.state}`}>{stateOf(node)}</span>
        {labels.map((label) => (
          <span key={label} class="tag">
            {label}
          </span>
        ))}
        <span class="muted mono">{node.version}</span>
        <span class="muted">{plural(node.profiles.length, 'profile')} on the board</span>
      </header>
      {node.rival !== undefined && (
        <p class="trouble">
          The container {node.rival} has the id or the name of this node too, and dispatches nothing. Its dispatcher's
          log says what to do.
        </p>
      )}
      {failure && <FailureMessage failure={failure} again={() => void gateways.reload()} />}
      {!failure && <Gateways node={node} gateways={gateways} />}
    </section>
  )
}

const stateOf = ({ here, state, silent_s }: Node): string => {
  if (state === 'up') return here ? 'here' : 'up'
  return `${here ? 'here, ' : ''}lapsed for ${duration(silent_s * 1000)}`
}

interface GatewaysProps {
  readonly node: Node
  readonly gateways: Loaded<Profiles>
}

function Gateways({ node, gateways }: GatewaysProps) {
  const { client, router } = useApp()
  const known = gateways.value.value?.profiles
  // Rows for those on the board until the node answers: the nodes below keep their places then.
  const rows: readonly Pick<Profile, 'name' | 'slot'>[] = known ?? node.profiles.map((name) => ({ name }))
  return (
    <div class="table-box">
      <table aria-busy={known === undefined}>
        <thead>
          <tr>
            <th>Gateway</th>
            <th>State</th>
            <th>Uptime</th>
            <th>Restarts</th>
            <th>Last death</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, slot }) => (
            <tr key={name} data-gateway={name}>
              <td>
                <a href={router.href(node.here ? profilePath(name) : nodeGatewayPath(node.name, name))} data-view>
                  {name}
                </a>
              </td>
              <td>
                <State slot={slot} />
              </td>
              <td class="number">{slot?.state === 'up' ? <Since at={slot.since} /> : '–'}</td>
              <td class="number">{slot?.restarts ?? '–'}</td>
              <td class="grow">
                {slot?.lastDeath === undefined ? (
                  '–'
                ) : (
                  <>
                    <span class="ending">{ending(slot.lastDeath)}</span> <Ago at={slot.lastDeath.at} />
                  </>
                )}
              </td>
              <td class="node-actions">
                <SlotActions
                  slotKey={`${name} on ${node.name}`}
                  slot={slot}
                  profile={undefined}
                  perform={performOn(client, node.name, name, gateways)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

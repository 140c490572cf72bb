import { FailureMessage } from '../../parts/failure.tsx'
import { Remark, State } from '../../parts/state.tsx'
import { useApp } from '../../stores/app-context.ts'
import { nodeLogPath, performOn, useGateways } from '../../stores/nodes.ts'
import { LogPane } from '../profile/log-pane.tsx'
import { SlotActions } from '../slot-actions.tsx'

/** The live log of a gateway of another node. */
export function NodeGateway({ node, name }: { readonly node: string; readonly name: string }) {
  const { client, router } = useApp()
  const gateways = useGateways(client, node)
  const slot = gateways.value.value?.profiles.find((profile) => profile.name === name)?.slot
  const failure = gateways.failure.value
  return (
    <div class="page profile fills">
      <header class="page-head">
        <div class="title">
          <h1>{name}</h1>
          <span class="muted">
            on{' '}
            <a href={router.href('/nodes')} data-view>
              {node}
            </a>
          </span>
          <State slot={slot} />
        </div>
        <div class="actions">
          <SlotActions
            slotKey={`${name} on ${node}`}
            slot={slot}
            profile={undefined}
            perform={performOn(client, node, name, gateways)}
            wide
          />
        </div>
      </header>
      <Remark slot={slot} />
      {failure && <FailureMessage failure={failure} again={() => void gateways.reload()} />}
      <LogPane profile={name} path={nodeLogPath(node, name)} />
    </div>
  )
}

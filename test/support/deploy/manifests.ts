// Checks of Kubernetes objects without a cluster.
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor'
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { Pod } from 'kubernetes-models/v1/Pod'
import { Service } from 'kubernetes-models/v1/Service'
import { kubectl } from './kube-tools.ts'

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
}

interface Model {
  validate(): void
}

/** A schema for each kind that our files have. */
const KINDS: Readonly<Record<string, new (manifest: never) => Model>> = {
  NetworkPolicy,
  Pod,
  PodDisruptionBudget,
  Service,
  ServiceMonitor,
  StatefulSet,
}

/** @throws what its Kubernetes schema finds wrong with it, or that we have none */
export function validate(manifest: Manifest): void {
  const Kind = KINDS[manifest.kind]
  if (Kind === undefined) throw new Error(`no schema for ${manifest.kind}: add it to test/support/deploy/manifests.ts`)
  new Kind(manifest as never).validate()
}

/**
 * What kubectl makes of a manifest with containers, without a cluster, where it sets the variable HERMES_STOP_TIMEOUT
 * to 26: every field that its own types do not have is gone.
 */
export function readByKubectl(manifest: object): unknown {
  const args = ['set', 'env', '--local', '--filename', '-', '--output', 'json', 'HERMES_STOP_TIMEOUT=26']
  const { code, stdout, stderr } = kubectl(args, { input: JSON.stringify(manifest) })
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

/** The manifest with that variable, for a comparison. */
export const withVariable = (manifest: object): object =>
  JSON.parse(
    JSON.stringify(manifest).replace(
      /"name":"HERMES_STOP_TIMEOUT","value":"\d+"/,
      '"name":"HERMES_STOP_TIMEOUT","value":"26"',
    ),
  )

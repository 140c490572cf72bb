import { DEFAULT_RULES, type ServiceDefinition, type ServiceRules } from '../../src/services/definition.ts'

/** A service of a test, ready to be ordered. */
export const service = (
  name: string,
  needs: readonly string[] = [],
  rules: Partial<ServiceRules> = {},
): ServiceDefinition => ({
  rules: {
    ...DEFAULT_RULES,
    name,
    source: `/etc/services.d/${name}`,
    kind: 'longrun',
    dependsOn: needs.map((one) => ({ name: one, until: 'ready' as const })),
    ...rules,
  },
  programs: { name, oneshot: false, run: ['/bin/true'], cwd: '/', inherits: 'path', variables: {}, depth: 0 },
})

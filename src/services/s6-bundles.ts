/** Bundles of s6-rc: names for several services, among them the pipelines that are named. */
import type { ServiceProblem } from './definition.ts'
import type { TreeDir } from './facts.ts'
import { namesIn, RefusedDefinition, refused, typeOf } from './s6-files.ts'

/** Services that come with s6-overlay and that trees depend on; here their work is done before any service starts. */
const BUILT_IN = new Set(['base', 'fix-attrs', 'legacy-cont-init', 'legacy-services', 'top', 'user', 'user2'])

/** Bundles that start with the container. s6-overlay provides their `type`, so authors write none. */
const USER_BUNDLES: readonly string[] = ['user', 'user2']

/** A directory that is a bundle, not a service. Its `type` may still be wrong. */
export const isBundle = (dir: TreeDir): boolean =>
  USER_BUNDLES.includes(dir.name) || dir.files.type?.slice(0, 8).replace(/\n$/, '') === 'bundle'

interface Bundle {
  readonly contents: readonly string[]
  readonly essential: boolean
  /** Path of its definition. */
  readonly path: string
}

/** The bundles of a tree, and what the names in it stand for. */
export class Bundles {
  readonly problems: readonly ServiceProblem[]
  /** Services that start with the container. */
  readonly started: ReadonlySet<string>
  readonly #bundles = new Map<string, Bundle>()
  readonly #services: ReadonlySet<string>
  /** Bundles that cannot be read, or hold themselves. */
  readonly #faulty = new Set<string>()
  readonly #essential: ReadonlySet<string>

  /**
   * @param dirs every directory that defines something, services too
   * @param pipelines members of each named pipeline
   */
  constructor(dirs: readonly TreeDir[], pipelines: ReadonlyMap<string, readonly string[]>) {
    this.#services = new Set(dirs.filter((dir) => !isBundle(dir)).map(({ name }) => name))
    const problems: ServiceProblem[] = []
    for (const [name, contents] of pipelines) this.#bundles.set(name, { contents, essential: false, path: name })
    for (const name of USER_BUNDLES) this.#bundles.set(name, { contents: [], essential: false, path: `bundle ${name}` })
    for (const dir of dirs.filter(isBundle)) {
      try {
        this.#add(dir)
      } catch (error) {
        if (!(error instanceof RefusedDefinition)) throw error
        this.#faulty.add(dir.name)
        problems.push({ ...error.fault, message: `the bundle ${dir.name} starts nothing: ${error.fault.message}` })
      }
    }
    for (const name of this.#bundles.keys()) problems.push(...this.#cycle(name))
    this.problems = [...problems, ...this.#undefinedNames()]
    this.started = this.#flat(USER_BUNDLES)
    const flagged = [...this.#bundles].filter(([, { essential }]) => essential).map(([name]) => name)
    this.#essential = this.#flat(flagged)
  }

  /** A bundle hands its `flag-essential` on to all that it holds. */
  isEssential(service: string): boolean {
    return this.#essential.has(service)
  }

  /**
   * The services a service depends on, by names of services and bundles. @throws Refused when a bundle among them is
   * faulty
   */
  servicesOf(names: readonly string[], dependent: TreeDir): readonly string[] {
    const faulty = names.find((name) => this.#faulty.has(name) && !USER_BUNDLES.includes(name))
    if (faulty !== undefined)
      throw refused(dependent.path, `depends on the bundle ${faulty}, which is left out itself`, `correct ${faulty}`)
    return [...this.#flat(names)]
  }

  #add(dir: TreeDir): void {
    if (dir.problem !== undefined) throw new RefusedDefinition(dir.problem)
    const contents = namesIn(dir, 'contents')
    const before = this.#bundles.get(dir.name)
    if (!USER_BUNDLES.includes(dir.name)) {
      typeOf(dir)
      if (contents === undefined)
        throw refused(
          dir.path,
          'it has neither contents.d nor contents',
          'create contents.d, with a file for each name',
        )
    }
    this.#bundles.set(dir.name, {
      contents: [...(before?.contents ?? []), ...(contents ?? [])],
      essential: before?.essential === true || dir.files['flag-essential'] !== undefined,
      path: USER_BUNDLES.includes(dir.name) ? `bundle ${dir.name}` : dir.path,
    })
  }

  /** A bundle that contains itself is left out: its contents have no end. */
  #cycle(name: string): readonly ServiceProblem[] {
    const way: string[] = [name]
    const reaches = (from: string, seen: Set<string>): boolean => {
      for (const one of this.#bundles.get(from)?.contents ?? []) {
        if (one === name) return true
        if (!this.#bundles.has(one) || seen.has(one)) continue
        seen.add(one)
        way.push(one)
        if (reaches(one, seen)) return true
        way.pop()
      }
      return false
    }
    if (!reaches(name, new Set())) return []
    this.#faulty.add(name)
    const message = `the bundle ${name} starts nothing: it holds itself: ${[...way, name].join(' → ')}`
    return [{ file: this.#bundles.get(name)?.path ?? name, message, repair: 'remove one of these names' }]
  }

  #undefinedNames(): readonly ServiceProblem[] {
    const isKnown = (name: string): boolean =>
      this.#services.has(name) || this.#bundles.has(name) || this.#faulty.has(name) || BUILT_IN.has(name)
    return [...this.#bundles].flatMap(([bundle, { contents, path }]) =>
      [...new Set(contents)]
        .filter((name) => !isKnown(name))
        .map((service) => ({
          service,
          file: path,
          message: 'the bundle names it, and no directory defines it',
          repair: `define it, or take ${service} out of the bundle ${bundle}`,
        })),
    )
  }

  /** The services that names stand for: a bundle is what it holds, bundles in it too. */
  #flat(names: readonly string[]): ReadonlySet<string> {
    const seen = new Set(names)
    const members = new Set<string>()
    // The iterator of a Set also visits elements added during the loop.
    for (const name of seen) {
      const bundle = this.#faulty.has(name) && !USER_BUNDLES.includes(name) ? undefined : this.#bundles.get(name)
      if (bundle !== undefined) for (const one of bundle.contents) seen.add(one)
      else if (this.#services.has(name) || !(BUILT_IN.has(name) || this.#faulty.has(name))) members.add(name)
    }
    return members
  }
}

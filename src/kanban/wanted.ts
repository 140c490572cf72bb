/**
 * Tells whether the slot `dispatcher` should be up: a board exists, and the configuration does not leave dispatching
 * to another program. A stopped container, or one that does not hold the volume, has no slots; the supervisor handles
 * that.
 */
export const dispatcherWanted = (facts: { readonly boards: number; readonly dispatchInGateway: boolean }): boolean =>
  facts.boards > 0 && facts.dispatchInGateway

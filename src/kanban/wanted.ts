/**
 * Whether the slot `dispatcher` is wanted up: there is a board, and the configuration does not say that somebody else dispatches.
 * A stopped container, or one that does not hold the volume, has no slots at all; that is the supervisor's business.
 */
export const dispatcherWanted = (facts: { readonly boards: number; readonly dispatchInGateway: boolean }): boolean =>
  facts.boards > 0 && facts.dispatchInGateway

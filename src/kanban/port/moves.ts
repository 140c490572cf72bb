/** The node that has a profile, also while it moves to another one. */
export interface Owner {
  /** The id of its node. */
  readonly node: string
  /** The process that asks belongs to that node. */
  readonly own: boolean
  /** Rises with each step of a move: a step that comes late finds another one, and changes nothing. */
  readonly epoch: number
  /** It is being moved: its node has set the directory aside, or has not put it in place yet. */
  readonly moving: boolean
}

/** Each is one transaction. @throws HermesError while the database does not answer */
export interface Moves {
  /** undefined: no node has it. */
  look(profile: string): Promise<Owner | undefined>
  /**
   * Begins to move a profile of this node, also anew.
   * @returns the epoch with which its new node takes it; undefined: it is not this node's
   */
  begin(profile: string): Promise<number | undefined>
  /** Ends the move, so that no other node can take the profile any more. @returns false: it is not this node's */
  cancel(profile: string): Promise<boolean>
  /**
   * Makes it a profile of this node, still moving.
   * @param from the id of its node
   * @param epoch as {@link begin} returned it
   * @returns false: that move is over
   */
  take(profile: string, from: string, epoch: number): Promise<boolean>
  /** The profile is in place at this node. */
  arrived(profile: string): Promise<void>
}

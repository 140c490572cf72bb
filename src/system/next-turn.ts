/**
 * Does work in turns of the event loop, so that what else is due is done in between.
 * @param work done in the next turn, once, however often the returned function is called until then; it may call that
 * function again for what is left
 */
export function inNextTurn(work: () => void): () => void {
  let due = false
  return () => {
    if (due) return
    due = true
    setImmediate(() => {
      due = false
      work()
    })
  }
}

/**
 * Moving a card with a mouse, a pen or a finger. A mouse drags after a few pixels; a finger after a short hold, because
 * before it a movement means to scroll.
 */
const MOUSE_PX = 6
const HOLD_MS = 220
const EDGE_PX = 48

export interface DragTarget {
  /** A drag began: the card is lifted. */
  lifted(): void
  /** The column under the pointer, or none. */
  over(column: string | undefined): void
  /** It was let go there. */
  dropped(column: string | undefined): void
  cancelled(): void
}

/** Follows one press on a card until it ends; a press that was not a drag does nothing. */
export function followPress(press: PointerEvent, card: HTMLElement, board: HTMLElement, target: DragTarget): void {
  const ending = new AbortController()
  const { signal } = ending
  let ghost: HTMLElement | undefined
  const origin = card.getBoundingClientRect()

  const lift = (): void => {
    ghost = card.cloneNode(true) as HTMLElement
    ghost.removeAttribute('id')
    ghost.inert = true
    ghost.classList.add('ghost')
    ghost.style.width = `${origin.width}px`
    document.body.append(ghost)
    place(press)
    target.lifted()
  }
  const place = ({ clientX, clientY }: PointerEvent): void => {
    const x = origin.left + clientX - press.clientX
    const y = origin.top + clientY - press.clientY
    if (ghost) ghost.style.transform = `translate(${x}px, ${y}px) rotate(1deg)`
  }
  const end = (): void => {
    clearTimeout(hold)
    ghost?.remove()
    ending.abort()
  }
  const hold = press.pointerType === 'mouse' ? undefined : setTimeout(lift, HOLD_MS)

  addEventListener(
    'pointermove',
    (event) => {
      if (event.pointerId !== press.pointerId) return
      const distance = Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY)
      if (ghost === undefined) {
        if (distance < MOUSE_PX) return
        if (press.pointerType !== 'mouse') return end()
        lift()
      }
      place(event)
      const bounds = board.getBoundingClientRect()
      if (event.clientX > bounds.right - EDGE_PX) board.scrollBy({ left: 12 })
      if (event.clientX < bounds.left + EDGE_PX) board.scrollBy({ left: -12 })
      target.over(columnAt(event))
    },
    { signal },
  )
  addEventListener(
    'pointerup',
    (event) => {
      if (event.pointerId !== press.pointerId) return
      const dragged = ghost !== undefined
      end()
      if (!dragged) return
      swallowClick()
      target.dropped(columnAt(event))
    },
    { signal },
  )
  const cancel = (): void => {
    const dragged = ghost !== undefined
    end()
    if (dragged) target.cancelled()
  }
  addEventListener('pointercancel', cancel, { signal })
  addEventListener(
    'keydown',
    (event) => {
      if (event.key === 'Escape') cancel()
    },
    { signal },
  )
  // While a card is in the hand the finger must not scroll the page away under it.
  addEventListener(
    'touchmove',
    (event) => {
      if (ghost !== undefined) event.preventDefault()
    },
    { signal, passive: false },
  )
}

/** A drag that ends over the card it started on causes an unintended click. */
function swallowClick(): void {
  const swallow = (event: MouseEvent): void => event.stopPropagation()
  addEventListener('click', swallow, { capture: true, once: true })
  // The click follows at once or never.
  setTimeout(() => removeEventListener('click', swallow, { capture: true }))
}

const columnAt = ({ clientX, clientY }: PointerEvent): string | undefined =>
  document.elementFromPoint(clientX, clientY)?.closest<HTMLElement>('[data-column]')?.dataset.column

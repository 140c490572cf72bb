import { Dialog } from '../../parts/dialog.tsx'

const KEYS: readonly (readonly [string, string])[] = [
  ['Arrows, Home, End', 'move from card to card'],
  ['Enter', "open a card's details"],
  ['Space', 'lift a card, or put it down'],
  ['← →', 'choose the column for the lifted card'],
  ['Escape', 'return it to its column'],
  ['n', 'create a task'],
  ['?', 'show these keys'],
]

export function BoardKeys({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keys on the board" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}

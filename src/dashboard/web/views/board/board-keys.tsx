import { Dialog } from '../../parts/dialog.tsx'

const KEYS: readonly (readonly [string, string])[] = [
  ['Arrows, Home, End', 'go from card to card'],
  ['Enter', "a card's details"],
  ['Space', 'lift a card, or put it down'],
  ['← →', 'with a lifted card: the column it goes to'],
  ['Escape', 'leave it where it was'],
  ['n', 'new task'],
  ['?', 'these keys'],
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

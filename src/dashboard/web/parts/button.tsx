import type { ComponentChildren } from 'preact'
import type { Scope } from '../core/rights.ts'
import { useMay } from '../stores/app-context.ts'
import { Icon, type IconName } from './icon.tsx'

interface ButtonProps {
  readonly children?: ComponentChildren
  readonly icon?: IconName
  /** Describes the button if it shows no text. */
  readonly label?: string
  readonly tone?: 'plain' | 'main' | 'danger' | 'quiet'
  readonly type?: 'button' | 'submit'
  readonly disabled?: boolean | undefined
  readonly pressed?: boolean
  /** Scope of what it does: users who lack it do not see the button. */
  readonly needs?: Scope
  readonly onClick?: (event: MouseEvent) => void
}

export function Button({
  children,
  icon,
  label,
  tone = 'plain',
  type = 'button',
  disabled,
  pressed,
  needs = 'read',
  onClick,
}: ButtonProps) {
  if (!useMay()(needs)) return null
  return (
    <button
      type={type}
      class={`button ${tone}${children === undefined ? ' square' : ''}`}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

import type { ComponentChildren } from 'preact'
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
  onClick,
}: ButtonProps) {
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

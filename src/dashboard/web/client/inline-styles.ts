/**
 * xterm writes `<style>` elements and `style` attributes, which our Content-Security-Policy refuses. It takes the document it makes
 * elements with as an option, so it gets one whose elements reach the same through the CSS object model, which the policy allows.
 */
export function documentWithoutInlineStyles(real: Document, signal: AbortSignal): Document {
  const createElement = (name: string): HTMLElement => {
    const element = real.createElement(name)
    if (name === 'style') adoptText(element, real, signal)
    element.setAttribute = setAttribute
    return element
  }
  return new Proxy(real, {
    get(target, key) {
      if (key === 'createElement') return createElement
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value
  else Element.prototype.setAttribute.call(this, name, value)
}

/** Text put into this element becomes a constructed style sheet of the document. */
function adoptText(element: HTMLElement, real: Document, signal: AbortSignal): void {
  const sheet = new CSSStyleSheet()
  real.adoptedStyleSheets.push(sheet)
  signal.addEventListener('abort', () => {
    real.adoptedStyleSheets = real.adoptedStyleSheets.filter((one) => one !== sheet)
  })
  Object.defineProperty(element, 'textContent', { set: (text: string) => sheet.replaceSync(text) })
}

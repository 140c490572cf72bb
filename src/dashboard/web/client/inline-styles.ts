/**
 * xterm writes `<style>` elements and `style` attributes, which our Content-Security-Policy refuses. The document it
 * creates elements with is an option, so it gets one whose elements set styles through the CSS object model, which
 * the policy allows.
 */
export function documentWithoutInlineStyles(real: Document, signal: AbortSignal): Document {
  // Style elements are caught where they are put in: xterm 6 makes one of them with the real document whatever it was
  // given.
  function appendChild<T extends Node>(this: HTMLElement, child: T): T {
    if (!(child instanceof HTMLStyleElement)) return Node.prototype.appendChild.call(this, child) as T
    adopt(child, real, signal)
    return child
  }
  const createElement = (name: string): HTMLElement =>
    Object.assign(real.createElement(name), { appendChild, setAttribute })
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

/**
 * The element stays outside of the document; the text put into it becomes a constructed style sheet of the document.
 */
function adopt(element: HTMLStyleElement, real: Document, signal: AbortSignal): void {
  const sheet = new CSSStyleSheet()
  real.adoptedStyleSheets.push(sheet)
  signal.addEventListener('abort', () => {
    real.adoptedStyleSheets = real.adoptedStyleSheets.filter((one) => one !== sheet)
  })
  Object.defineProperty(element, 'textContent', { set: (text: string) => sheet.replaceSync(text) })
}

/** Longer than a browser takes to begin with it. */
const KEPT_MS = 60_000

/** Hands a file to the browser's downloads. A link alone could not send the token of the page. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS)
}

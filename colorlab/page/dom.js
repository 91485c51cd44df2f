// Small helpers for the page's elements.

export const byId = (id) => document.getElementById(id)

export function make(kind, properties = {}, ...children) {
  const made = Object.assign(document.createElement(kind), properties)
  made.append(...children)
  return made
}

export const within = (value, least = 0, most = 1) => Math.min(Math.max(value, least), most)

export const percent = (share) => `${Math.round(100 * share)} %`

/** Tell a screen reader. */
export function say(text) {
  byId("live").textContent = text
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

/** Which way an arrow key goes, [right, down]; undefined for other keys. */
export const arrow = (event) => (event.ctrlKey || event.metaKey ? undefined : ARROWS[event.key])

/** Follow a pointer from where it is pressed: `move(event)` for each step, `end(event)` at last. */
export function follow(element, event, move, end = () => {}) {
  element.setPointerCapture(event.pointerId)
  const stop = new AbortController()
  const options = { signal: stop.signal }
  const last = (one) => {
    stop.abort()
    end(one)
  }
  element.addEventListener("pointermove", move, options)
  element.addEventListener("pointerup", last, options)
  element.addEventListener("pointercancel", last, options)
}

// The hint board in the page. Python holds all that counts (see hints.py): this draws its state, and
// sends what is clicked and typed. One message is on its way at a time; of moves that wait, the last
// one counts.

const STEP = 0.02 // of the photo's side, for an arrow key
const LONGER = 480 // CSS pixels, the photo's longer side
const STILL = 3 // CSS pixels that a press may slip without being a drag
const MOVES = ["look", "drag"]

const BUTTONS = [
  { name: "Remove", do: "remove", title: "Remove the selected hint (Delete)" },
  { name: "Undo", do: "undo", title: "Go back one step (Ctrl+Z)" },
  { name: "Redo", do: "redo", title: "Take back an undo (Ctrl+Y)" },
  { name: "Clear", do: "clear", title: "Remove all hints" },
  { name: "Save PNG", do: "save", suffix: ".png", title: "Write the picture and its hints" },
  { name: "Save JPEG", do: "save", suffix: ".jpg", title: "Write the picture and its hints" },
]

function make(kind, attributes = {}, ...children) {
  const made = document.createElement(kind)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

function put(one, { x, y }) {
  one.style.left = `${100 * x}%`
  one.style.top = `${100 * y}%`
}

const within = (share) => Math.min(Math.max(share, 0), 0.9999)

/** Send messages to Python one by one; call `answered` at each answer. */
function line(model) {
  const waiting = []
  let busy = false
  const next = () => {
    if (busy || !waiting.length) return
    busy = true
    model.send(waiting.shift())
  }
  return {
    send(message) {
      const last = waiting.at(-1)
      const replaced = last && last.do === message.do && "again" in last === "again" in message
      if (replaced && (MOVES.includes(message.do) || message.again !== undefined))
        waiting[waiting.length - 1] = { ...message, again: last.again && message.again }
      else waiting.push(message)
      next()
    },
    /** Send the next; whether there was none. */
    answered() {
      busy = false
      next()
      return !busy
    },
  }
}

export default {
  render({ model, el }) {
    const state = () => model.get("state")
    const { send, answered } = line(model)

    const image = make("img", { draggable: "false" })
    const dots = make("div")
    const cursor = make("div", { class: "colorlab-cursor" })
    const photo = make(
      "div",
      // Without the last, JupyterLab takes the arrows for its cells.
      { class: "colorlab-photo", tabindex: 0, role: "application", "data-lm-suppress-shortcuts": true },
      image, dots, cursor,
    )
    const names = make("select")
    const swatches = make("div", { class: "colorlab-swatches" })
    const own = make("input", { type: "color", value: "#c03030" })
    const buttons = BUTTONS.map(({ name, title, ...message }) => {
      const button = make("button", { type: "button", title }, name)
      button.onclick = () => send(message)
      return button
    })
    const words = make("div", { class: "colorlab-words", "aria-live": "polite" })
    const side = make(
      "div",
      { class: "colorlab-side" },
      make("label", { class: "colorlab-names" }, make("span", {}, "Photo"), names),
      make("div", { class: "colorlab-title" }, "Likely colors there"),
      swatches,
      make("label", { class: "colorlab-own" }, own, make("span", {}, "A color of your own")),
      make("div", { class: "colorlab-buttons" }, ...buttons),
      words,
      make(
        "div",
        { class: "colorlab-keys" },
        "Click a hint to select it, drag it to move it. Keys on the photo: arrows move the cursor, " +
          "with Shift the selected hint; Enter takes the likeliest color, 1 to 4 one of them; Delete " +
          "removes, Ctrl+Z undoes.",
      ),
    )
    el.append(make("div", { class: "colorlab-hints" }, photo, side))

    // --- what Python says ----------------------------------------------------------------------

    let at = null // the place that was sent last, until Python has answered all

    function showPicture() {
      const old = image.src
      image.src = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/jpeg" }))
      if (old) URL.revokeObjectURL(old)
    }

    function showState() {
      const now = state()
      const [width, height] = now.size
      photo.style.width = `${Math.round((LONGER * width) / Math.max(width, height))}px`
      photo.style.aspectRatio = `${width} / ${height}`
      photo.setAttribute("aria-label", `${now.name}. ${now.alt}`)
      image.alt = now.alt
      names.replaceChildren(...now.names.map((name) => make("option", {}, name)))
      names.value = now.name
      names.parentElement.hidden = now.names.length < 2
      dots.replaceChildren(
        ...now.hints.map((hint, i) => {
          const dot = make("div", { class: "colorlab-dot" })
          dot.classList.toggle("colorlab-selected", i === now.selected)
          dot.style.background = hint.color
          put(dot, i === now.selected && dragged && at ? at : hint)
          return dot
        }),
      )
      cursor.hidden = !now.cursor || now.selected !== null
      if (now.cursor) put(cursor, at ?? now.cursor)
      swatches.replaceChildren(...now.colors.map(swatch))
      if (!now.colors.length) swatches.append("Click on the photo.")
      own.disabled = !now.cursor
      const { undo, redo, selected, hints } = now
      const off = { remove: selected === null, undo: !undo, redo: !redo, clear: !hints.length }
      buttons.forEach((button, i) => (button.disabled = Boolean(off[BUTTONS[i].do])))
      words.textContent = now.words
    }

    function swatch({ color, share, name }, i) {
      const percent = `${Math.round(100 * share)} %`
      const title = `${i + 1}: ${name}, ${percent}`
      const chip = make("span", { class: "colorlab-chip", style: `background: ${color}` })
      const button = make(
        "button",
        { type: "button", title, "aria-label": title },
        chip, make("span", {}, percent),
      )
      button.onclick = () => send({ do: "color", color })
      return button
    }

    function heard() {
      if (answered()) at = null
      showState()
    }

    // --- what the user does --------------------------------------------------------------------

    let start = null // where the pointer was pressed, while it is down
    let dragged = false // whether the last move took the selected hint along
    const place = (event) => {
      const box = image.getBoundingClientRect()
      return {
        x: within((event.clientX - box.left) / box.width),
        y: within((event.clientY - box.top) / box.height),
      }
    }
    const look = (spot) => {
      at = spot
      dragged = false
      put(cursor, spot)
      send({ do: "look", ...spot })
    }
    const drag = (spot, again) => {
      at = spot
      dragged = true
      put(dots.querySelector(".colorlab-selected") ?? cursor, spot)
      send({ do: "drag", ...spot, again })
    }
    photo.onpointerdown = (event) => {
      if (event.button) return
      photo.setPointerCapture(event.pointerId)
      start = [event.clientX, event.clientY]
      look(place(event))
    }
    photo.onpointermove = (event) => {
      if (!start) return
      const slip = Math.hypot(event.clientX - start[0], event.clientY - start[1])
      if (dragged || slip >= STILL) drag(place(event), dragged)
    }
    photo.onpointerup = photo.onpointercancel = () => {
      if (start && dragged) look(at ?? state().cursor) // for the likely colors there
      start = null
    }
    photo.onkeydown = (event) => {
      if (!act(event)) return
      event.preventDefault()
      event.stopPropagation()
    }

    /** Do what a key asks for; whether it asked for anything. */
    function act(event) {
      const { key, shiftKey: shift } = event
      const now = state()
      if (event.ctrlKey || event.metaKey) {
        const what = key.toLowerCase() === "z" ? (shift ? "redo" : "undo") : key === "y" && "redo"
        if (what) send({ do: what })
        return Boolean(what)
      }
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
      if (key in arrows) {
        const moves = shift && now.selected !== null
        const from = at ?? (moves ? now.hints[now.selected] : now.cursor) ?? { x: 0.5, y: 0.5 }
        const [right, down] = arrows[key]
        const spot = { x: within(from.x + STEP * right), y: within(from.y + STEP * down) }
        if (moves) drag(spot, event.repeat)
        else look(spot)
        return true
      }
      const chosen = now.colors[key === "Enter" ? 0 : Number(key) - 1]
      if (chosen) send({ do: "color", color: chosen.color })
      if (["Delete", "Backspace"].includes(key)) send({ do: "remove" })
      return Boolean(chosen) || ["Enter", "Delete", "Backspace"].includes(key)
    }

    let choosing = false // whether the color dialog has sent a color and goes on
    own.oninput = () => {
      send({ do: "color", color: own.value, again: choosing })
      choosing = true
    }
    own.onchange = () => (choosing = false)
    names.onchange = () => send({ do: "photo", name: names.value })

    showPicture()
    showState()
    model.on("change:picture", showPicture)
    model.on("change:state", heard)
    return () => {
      model.off("change:picture", showPicture)
      model.off("change:state", heard)
    }
  },
}

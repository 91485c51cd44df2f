// The photo that is shown, before and after, with what the engine noted about it.

import { byId, make } from "./dom.js"

const BUSY = { waiting: "Waiting for its turn …", coloring: "Coloring …" }

export class Stage {
  constructor() {
    this.photo = byId("photo")
    this.gray = byId("gray")
    this.colored = byId("colored")
  }

  show(photo) {
    byId("name").textContent = photo.name
    byId("busy").textContent = BUSY[photo.state] ?? ""
    byId("problem").hidden = photo.state !== "problem"
    byId("problem-text").textContent = photo.message
    this.photo.hidden = photo.state === "problem" && !photo.colored
    this.photo.setAttribute("aria-busy", String(Boolean(BUSY[photo.state])))
    this.photo.classList.toggle("apart", Boolean(photo.colored))
    this.colored.setAttribute("aria-label", `${photo.name}, in guessed colors`)
    draw(this.gray, photo.gray)
    draw(this.colored, photo.colored ?? photo.gray ?? photo.thumb)
    fit(photo.handle ?? photo.thumb)
    const notes = [...(photo.handle?.notes ?? []), photo.credit].filter(Boolean)
    byId("notes").replaceChildren(...notes.map((note) => make("li", {}, note)))
  }
}

function fit(size) {
  byId("stage").style.setProperty("--ratio", size ? size.width / size.height : 1.5)
}

function draw(canvas, picture) {
  if (canvas.shows === picture) return
  canvas.shows = picture
  canvas.width = picture?.width ?? 0 // empties it
  canvas.height = picture?.height ?? 0
  if (picture) canvas.getContext("2d").drawImage(picture, 0, 0)
}

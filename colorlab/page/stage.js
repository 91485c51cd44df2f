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
    this.photo.hidden = !(photo.colored ?? photo.thumb)
    this.photo.setAttribute("aria-busy", String(Boolean(BUSY[photo.state])))
    this.photo.classList.toggle("apart", Boolean(photo.colored))
    this.colored.setAttribute("aria-label", `${photo.name}, in guessed colors`)
    draw(this.gray, photo.gray)
    draw(this.colored, photo.colored ?? photo.thumb)
    this.fit(photo.handle ?? photo.thumb)
    const notes = [...(photo.handle?.notes ?? []), photo.credit].filter(Boolean)
    byId("notes").replaceChildren(...notes.map((note) => make("li", {}, note)))
  }

  fit(size) {
    if (!size) return
    this.photo.style.setProperty("--ratio", size.width / size.height)
  }
}

function draw(canvas, picture) {
  if (!picture || canvas.shows === picture) return
  canvas.shows = picture
  canvas.width = picture.width
  canvas.height = picture.height
  canvas.getContext("2d").drawImage(picture, 0, 0)
}

// The ways in which photos come: chosen, photographed, dropped, pasted, or one of the examples.

import { byId, make } from "./dom.js"
import { fetched } from "./fetched.js"

/** Call `take(files, credit)` for all that comes. */
export function takePhotos(take) {
  for (const id of ["choose", "photograph", "add"]) {
    byId(id).addEventListener("change", ({ target }) => {
      take(target.files)
      target.value = "" // so that the same photo can be chosen again
    })
  }
  document.addEventListener("paste", ({ clipboardData }) => take(clipboardData.files))
  takeDrops(take)
}

/** Show the examples that the page was built with: [{file, title, credit}]. */
export function showExamples(examples, take) {
  byId("examples").hidden = !examples?.length
  const items = (examples ?? []).map(({ file, title, credit }) => {
    const address = `examples/${file}`
    const words = make("span", { className: "small" }, credit)
    const button = make(
      "button",
      { type: "button" },
      make("img", { src: address, alt: "" }),
      make("span", {}, title),
      words,
    )
    button.addEventListener("click", async () => {
      try {
        const blob = await (await fetched(address)).blob()
        take([new File([blob], file, { type: blob.type })], credit)
      } catch (error) {
        words.textContent = error.message
      }
    })
    return make("li", {}, button)
  })
  byId("examples").querySelector("ul").replaceChildren(...items)
}

function takeDrops(take) {
  const over = byId("over")
  const carriesFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files")
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return
    event.preventDefault()
    over.hidden = false
  })
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over.hidden = true
  })
  document.addEventListener("drop", (event) => {
    event.preventDefault()
    over.hidden = true
    take(event.dataTransfer.files)
  })
}

// Names of the theme's own controls, for who listens to the page instead of seeing it.
for (const control of document.querySelectorAll("summary[aria-label], .search-button-field")) {
    control.removeAttribute("aria-label") // its text says more, and is what is seen
}
for (const summary of document.querySelectorAll("nav summary")) {
    summary.setAttribute("aria-label", "The pages of this part")
}

// An equation or a table wider than a phone is moved sideways, with the keyboard too.
addEventListener("load", async () => {
    await window.MathJax?.startup?.promise
    for (const wide of document.querySelectorAll("mjx-container[display], .bd-content table")) {
        if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0
    }
})

// The slider of the front page: the range decides how much of the gray photo is seen.
for (const range of document.querySelectorAll(".slider input")) {
    const show = () => range.parentElement.style.setProperty("--part", `${range.value}%`)
    range.addEventListener("input", show)
    show()
}

// A phone's table of contents lies over the text: it makes room for the part that was chosen.
const contents = document.querySelector("dialog#pst-secondary-sidebar-modal")
contents?.addEventListener("click", ({ target }) => target.closest("a") && contents.close())

// Paper is white, whatever the screen is.
const root = document.documentElement
let theme
addEventListener("beforeprint", () => ([theme, root.dataset.theme] = [root.dataset.theme, "light"]))
addEventListener("afterprint", () => (root.dataset.theme = theme))

// What the search quotes from a page is its text, without the buttons and the contents around it.
addEventListener("DOMContentLoaded", () => {
    if (typeof Search === "undefined") return // only the search page has it
    const text = Search.htmlToText
    Search.htmlToText = (html, anchor) => {
        const page = new DOMParser().parseFromString(html, "text/html")
        const around = ".bd-header-article, .bd-sidebar-secondary, #jb-print-docs-body"
        page.querySelectorAll(around).forEach((one) => one.remove())
        return text(page.documentElement.outerHTML, anchor)
    }
})

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

// The slider of the front page: the range decides how much of the gray photo is seen.
for (const range of document.querySelectorAll(".slider input")) {
    const show = () => range.parentElement.style.setProperty("--part", `${range.value}%`)
    range.addEventListener("input", show)
    show()
}

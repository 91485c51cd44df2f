// The user's hints as the network sees them, as colorlab.hints.lay.

/**
 * @param color a Color
 * @param hints [{x, y, color: [r, g, b]}] in pixels of the photo
 * @param photo [height, width] of the photo
 * @param planes [height, width] of the planes
 * @returns Float32Array (3, h, w): a, b in [-1, 1] and the mask
 */
export function lay(color, hints, photo, planes) {
    const [height, width] = planes
    const laid = new Float32Array(3 * height * width)
    for (const hint of hints) {
        const [y, x] = [hint.y, hint.x].map((at, i) =>
            Math.min(Math.trunc(((at + 0.5) * planes[i]) / photo[i]), planes[i] - 1),
        )
        const [, a, b] = color.lab(...hint.color)
        const values = [a / color.numbers.AB_RANGE, b / color.numbers.AB_RANGE, 1]
        for (let i = Math.max(y - 1, 0); i <= Math.min(y + 1, height - 1); i++) {
            for (let j = Math.max(x - 1, 0); j <= Math.min(x + 1, width - 1); j++) {
                values.forEach((value, plane) => (laid[(plane * height + i) * width + j] = value))
            }
        }
    }
    return laid
}

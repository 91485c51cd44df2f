// The likeliest colors of one pixel, as colorlab.palette.top_colors: the likeliest bin takes with it
// what lies within two widths of it, and the next color is looked for in the rest.

/**
 * @param color a Color
 * @param palette "palette" of settings.json
 * @param logits one for each bin
 * @param lightness L of the pixel, 0 to 100
 * @param count how many colors at most
 * @returns [{color: [r, g, b], share}], the likeliest first
 */
export function topColors(color, { bins, width, smallest }, logits, lightness, count) {
    const left = softmax(logits)
    const found = []
    while (found.length < count) {
        const peak = bins[left.indexOf(Math.max(...left))]
        let [share, a, b] = [0, 0, 0]
        bins.forEach((bin, i) => {
            if (Math.hypot(bin[0] - peak[0], bin[1] - peak[1]) > 2 * width) return
            share += left[i]
            a += left[i] * bin[0]
            b += left[i] * bin[1]
            left[i] = 0
        })
        if (!(share >= smallest)) break
        found.push({ color: color.rgb(lightness, a / share, b / share), share })
    }
    return found.sort((one, other) => other.share - one.share)
}

function softmax(logits) {
    const most = Math.max(...logits)
    const powers = Array.from(logits, (logit) => Math.exp(logit - most))
    const sum = powers.reduce((a, b) => a + b, 0)
    return powers.map((power) => power / sum)
}

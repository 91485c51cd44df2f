// A plain name for a color: [70, 98, 60] is "greenish".

const GRAY = 14 // the largest channel less the smallest, of 255
const PALE = 70
const DARK = 190 // the largest channel: a darker orange is brown
const HUES = [
  // up to this hue in degrees, of a strong color and of a pale one; the names of the two
  [12, 12, "red", "reddish"],
  [42, 52, "orange", "brownish"],
  [68, 68, "yellow", "yellowish"],
  [165, 165, "green", "greenish"],
  [195, 195, "blue-green", "blue-greenish"],
  [252, 232, "blue", "bluish"],
  [290, 290, "purple", "purplish"],
  [342, 342, "pink", "pinkish"],
  [360, 360, "red", "reddish"],
]

export function nameOf([red, green, blue]) {
  const most = Math.max(red, green, blue)
  const span = most - Math.min(red, green, blue)
  if (span < GRAY) return "gray"
  const pale = span < PALE ? 1 : 0
  const degrees = hue(red, green, blue, most, span)
  const name = HUES.find((ends) => degrees < ends[pale])[2 + pale]
  return name === "orange" && most < DARK ? "brown" : name
}

function hue(red, green, blue, most, span) {
  if (most === red) return (60 * ((green - blue) / span) + 360) % 360
  return most === green ? 60 * ((blue - red) / span) + 120 : 60 * ((red - green) / span) + 240
}

export const hex = (color) => `#${color.map((one) => one.toString(16).padStart(2, "0")).join("")}`

export const fromHex = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16))

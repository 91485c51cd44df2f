// A plain name for a color: [70, 98, 60] is "greenish".

const GRAY = 14 // the largest channel less the smallest, of 255
const PALE = 70
const HUES = [
  // up to this hue in degrees; a strong color's name, a pale one's
  [12, "red", "reddish"],
  [42, "orange", "brownish"],
  [68, "yellow", "yellowish"],
  [165, "green", "greenish"],
  [195, "blue-green", "blue-greenish"],
  [252, "blue", "bluish"],
  [290, "purple", "purplish"],
  [342, "pink", "pinkish"],
  [360, "red", "reddish"],
]

export function nameOf([red, green, blue]) {
  const most = Math.max(red, green, blue)
  const span = most - Math.min(red, green, blue)
  if (span < GRAY) return "gray"
  const degrees = hue(red, green, blue, most, span)
  const [, strong, pale] = HUES.find(([end]) => degrees < end)
  if (strong === "orange" && most < 190) return "brown"
  return span < PALE ? pale : strong
}

function hue(red, green, blue, most, span) {
  if (most === red) return (60 * ((green - blue) / span) + 360) % 360
  return most === green ? 60 * ((blue - red) / span) + 120 : 60 * ((red - green) / span) + 240
}

export const hex = (color) => `#${color.map((one) => one.toString(16).padStart(2, "0")).join("")}`

export const fromHex = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16))

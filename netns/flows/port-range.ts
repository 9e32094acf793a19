/** Values and masks that together match just the ports of a range, fewest first. Source: ovs-fields(7), "Bitwise matching". */
export function portMasks(min: number, max: number): readonly string[] {
  const masks: string[] = []
  for (let first = min; first <= max;) {
    let size = 1
    // The widest block that begins here, aligned, and ends inside.
    while (first % (size * 2) === 0 && first + size * 2 - 1 <= max) size *= 2
    masks.push(`0x${first.toString(16)}/0x${(0x10000 - size).toString(16)}`)
    first += size
  }
  return masks
}

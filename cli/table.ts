/** Tables for people: columns as wide as their widest cell, numbers to the right. */

export type Row = Readonly<Record<string, string | number | null>>

function cellText(cell: string | number | null | undefined): string {
  return cell === null || cell === undefined || cell === '' ? '-' : String(cell)
}

/** The columns are those of the first row. */
export function table(rows: readonly Row[]): string {
  const [first] = rows
  if (!first) return 'none\n'
  const columns = Object.keys(first)
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => cellText(row[column]).length)))
  const line = (cells: readonly string[], isNumber: (index: number) => boolean): string =>
    cells
      .map((cell, index) => (isNumber(index) ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd()
  const isNumber = (index: number): boolean => typeof first[columns[index] ?? ''] === 'number'
  const head = line(
    columns.map((column) => column.toUpperCase()),
    isNumber,
  )
  const body = rows.map((row) =>
    line(
      columns.map((column) => cellText(row[column])),
      isNumber,
    ),
  )
  return `${[head, ...body].join('\n')}\n`
}

/** Links in compute replies. */
export interface Link {
  readonly rel: 'self' | 'bookmark' | 'describedby'
  readonly href: string
}

/** @param root such as 'http://10.0.0.1:8774'; the bookmark is the URL without a version */
export function linksOf(root: string, collection: 'servers' | 'flavors', id: string): readonly Link[] {
  return [{ rel: 'self', href: `${root}/compute/v2.1/${collection}/${id}` }, bookmark(root, collection, id)]
}

export function bookmark(root: string, collection: 'servers' | 'flavors' | 'images', id: string): Link {
  return { rel: 'bookmark', href: `${root}/compute/${collection}/${id}` }
}

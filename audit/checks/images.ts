import { abandonedImages } from '../../db/drift.ts'
import { deleteImage } from '../../db/new-images.ts'
import type { Check } from '../check.ts'

export const images: Check = {
  name: 'images',
  holds: 'an image that waits for the disk of a server has a task of that server to bring it',
  async run({ db }) {
    return (await abandonedImages(db)).map(({ imageId, serverId, status }) => ({
      text: `image ${imageId} is ${status}, and server ${serverId} has no task that would end it`,
      remedy: 'the image is deleted: it has no bytes',
      repair: () => deleteImage(db, imageId),
    }))
  },
}

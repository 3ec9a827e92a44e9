/** The camera's dialog: shows what the camera sees until a picture is taken. */

import { PhotoError } from '../photo.js';
import { find } from './dom.js';

/** @returns {Promise<HTMLVideoElement | undefined>} playing, if the visitor wants its picture */
export async function openCamera() {
  const dialog = /** @type {HTMLDialogElement} */ (find(document, '[data-dialog=camera]'));
  const video = /** @type {HTMLVideoElement} */ (find(dialog, 'video'));
  if (!navigator.mediaDevices?.getUserMedia) throw cannot('camera.none');
  dialog.returnValue = '';
  dialog.showModal();
  const closed = new Promise((done) =>
    dialog.addEventListener('close', () => done(dialog.returnValue), { once: true }),
  );
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: 'environment', width: { ideal: 1280 } },
    });
    await video.play();
  } catch {
    dialog.close();
    throw cannot('camera.denied');
  }
  return (await closed) === 'take' ? video : undefined;
}

/** @param {string} key */
const cannot = (key) => new PhotoError(key, {});

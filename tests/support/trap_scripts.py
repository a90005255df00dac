"""Scripts as people write them, with the traps that each line holds, and the same scripts mended.

A comment ``#! kind, kind`` at the end of a line names every trap of that line; a ``?`` after a kind means that the script
does not say enough to be sure. A line without one has none.
"""

from __future__ import annotations

__all__ = ["SCRIPTS"]

SCRIPTS: dict[str, tuple[str, str]] = {}
"""Name → (the script, the script mended)."""

SCRIPTS["classic: load, halve, scale"] = (
    """
from scipy import ndimage
import tensorflow as tf

image = ndimage.imread("cat.jpg")  #! gone
image = ndimage.zoom(image, 0.5)  #! channels-zoomed?, corner-grid, spline, aliasing
tensor = tf.convert_to_tensor(image / 255.0)
""",
    """
import offgraph as og
import tensorflow as tf

recipe = og.Compose([og.Resize(scale=0.5), og.Rescale(1 / 255)])
result = recipe(image=og.imread("cat.jpg", color="rgb")).image
tensor = tf.convert_to_tensor(result)
""",
)

SCRIPTS["classic: turn and shear"] = (
    """
import numpy as np
import scipy.ndimage as ndi
from skimage.data import chelsea

image = chelsea()
turned = ndi.rotate(image, 45)  #! spline, reshape
matrix = np.array([[1, 0.2, 30], [0, 1, 0], [0, 0, 1]])
sheared = ndi.affine_transform(image, matrix)  #! channels-matrix, spline, corner-origin
""",
    """
import offgraph as og
from skimage.data import chelsea

image = chelsea()
recipe = og.Compose([og.Rotate(45), og.Affine(shear=0.2, translate=(30, 0))])
result = recipe(image=image)
""",
)

SCRIPTS["classic: median against noise"] = (
    """
import numpy as np
import scipy.ndimage as ndi
from skimage.data import chelsea

image = chelsea()
rng = np.random.default_rng(0)
noisy = image.copy()
noisy[rng.random(image.shape[:2]) < 0.05] = 255
cleaned = ndi.median_filter(noisy, size=3)  #! channels-filtered
""",
    """
import numpy as np
import offgraph as og
import scipy.ndimage as ndi
from skimage.data import chelsea

image = chelsea()
rng = np.random.default_rng(0)
noisy = image.copy()
noisy[rng.random(image.shape[:2]) < 0.05] = 255
cleaned = og.Compose([og.MedianFilter(3)])(image=noisy).image
spatial = ndi.median_filter(noisy, size=(3, 3, 1))
named = ndi.median_filter(noisy, size=3, axes=(0, 1))
channels = np.stack([ndi.median_filter(noisy[..., c], 3) for c in range(3)], axis=-1)
grey = ndi.median_filter(noisy.mean(axis=-1), 3)
""",
)

SCRIPTS["segmentation pairs for a U-Net"] = (
    """
import os
import numpy as np
from PIL import Image
from scipy import ndimage as ndi
from tensorflow import keras

SIZE = (256, 256)

def load(folder_images, folder_masks):
    images, masks = [], []
    for a, b in zip(os.listdir(folder_images), os.listdir(folder_masks)):  #! unsorted
        img = Image.open(os.path.join(folder_images, a)).convert("RGB").resize(SIZE)  #! exif?
        mask = Image.open(os.path.join(folder_masks, b)).resize(SIZE)  #! mask-interpolated
        images.append(np.array(img) / 255.0)
        masks.append(np.array(mask))
    return np.array(images), np.array(masks)

def augment(image, mask):
    angle = np.random.uniform(-20, 20)  #! unseeded
    image = ndi.rotate(image, angle, reshape=False, order=1)
    mask = ndi.rotate(mask, angle, reshape=False)  #! mask-interpolated
    return image, mask

x, y = load("images", "masks")
pairs = [augment(i, m) for i, m in zip(x, y)]
Image.fromarray(y[0]).save("mask_0.jpg")  #! mask-lossy
""",
    """
import numpy as np
import offgraph as og
from PIL import Image, ImageOps
from scipy import ndimage as ndi

source = og.open_source("images", masks="masks")
recipe = og.Compose([og.Resize((256, 256)), og.Augment(og.Rotate((-20, 20))), og.Rescale(1 / 255)])
loader = og.Loader(source, recipe, seed=7)

rng = np.random.default_rng(7)

def load(folder_images, folder_masks):
    images, masks = [], []
    for a in sorted(folder_images.iterdir()):
        img = ImageOps.exif_transpose(Image.open(a)).convert("RGB").resize((256, 256))
        mask = Image.open(folder_masks / a.name).resize((256, 256), Image.NEAREST)
        images.append(np.array(img) / 255.0)
        masks.append(np.array(mask))
    return np.array(images), np.array(masks)

def augment(image, mask):
    angle = rng.uniform(-20, 20)
    image = ndi.rotate(image, angle, reshape=False, order=1)
    mask = ndi.rotate(mask, angle, reshape=False, order=0)
    return image, mask
""",
)

SCRIPTS["edges of a photograph"] = (
    """
import numpy as np
import scipy.ndimage as ndi
from imageio.v2 import imread

photo = imread("wall.jpg", as_gray=False)  #! exif
grey = photo[..., 0]
dx = ndi.sobel(grey)  #! unsigned-derivative
dy = ndi.sobel(grey, axis=0)  #! unsigned-derivative
edges = np.hypot(dx, dy)
lap = ndi.laplace(photo)  #! channels-filtered?, unsigned-derivative
colours = ndi.prewitt(photo.astype(float))  #! channels-derived?
soft = ndi.gaussian_filter1d(photo, 2)  #! channels-derived?
""",
    """
import numpy as np
import offgraph as og
import scipy.ndimage as ndi

photo = og.imread("wall.jpg", color="grey")
edges = og.Compose([og.GradientMagnitude(1)])(image=photo).image
grey = photo.astype(np.float32)
dx = ndi.sobel(grey)
dy = ndi.sobel(photo, axis=0, output=np.float32)
lap = ndi.laplace(grey)
""",
)

SCRIPTS["noise and brightness in bytes"] = (
    """
import cv2
import numpy as np
import matplotlib.pyplot as plt

img = cv2.imread("street.jpg")  #! bgr
brighter = img + 60  #! uint8-wrap
double = img * 2  #! uint8-wrap
change = img - cv2.imread("before.jpg")  #! uint8-wrap, bgr
noise = np.random.normal(0, 20, img.shape)  #! unseeded
noisy = (img + noise).astype(np.uint8)  #! cast-wrap
saved = (img / 255.0).astype("uint8")  #! scaled-cast
h, w = img.shape[:2]
same = cv2.resize(img, (h, w), interpolation=cv2.INTER_AREA)  #! size-order
small = cv2.resize(img, (224, 224))  #! aliasing?
plt.imshow(noisy)
""",
    """
import cv2
import numpy as np
import matplotlib.pyplot as plt

img = cv2.cvtColor(cv2.imread("street.jpg"), cv2.COLOR_BGR2RGB)
brighter = np.clip(img.astype(np.int16) + 60, 0, 255).astype(np.uint8)
inverted = 255 - img
dimmed = (img * 0.5).astype(np.uint8)
change = img.astype(np.float32) - 100
rng = np.random.default_rng(3)
noise = rng.normal(0, 20, img.shape)
noisy = np.clip(img + noise, 0, 255).astype(np.uint8)
scaled = img / 255.0
saved = (scaled * 255).astype("uint8")
h, w = img.shape[:2]
same = cv2.resize(img, (w, h), interpolation=cv2.INTER_AREA)
small = cv2.resize(img, (224, 224), interpolation=cv2.INTER_AREA)
plt.imshow(noisy)
""",
)

SCRIPTS["angles in the wrong unit"] = (
    """
import math
import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa  #! gone
from scipy import ndimage

def turn(image, degrees=30):
    return ndimage.rotate(image, np.deg2rad(degrees), reshape=False, order=1)  #! radians

def shear(image):
    angle = math.pi / 8
    return ndimage.rotate(image, angle, reshape=False, order=1)  #! radians

c, s = np.cos(30), np.sin(30)  #! degrees
turned = tfa.image.rotate(tf.zeros((1, 8, 8, 3)), 45)  #! degrees, gone
layer = tf.keras.layers.RandomRotation(15)  #! degrees
""",
    """
import numpy as np
import offgraph as og
import tensorflow as tf
from scipy import ndimage

def turn(image, degrees=30):
    return ndimage.rotate(image, degrees, reshape=False, order=1)

def back(image, radians):
    return ndimage.rotate(image, np.rad2deg(radians), reshape=False, order=1)

angle = np.deg2rad(30)
c, s = np.cos(angle), np.sin(angle)
step = og.Rotate((-15, 15))
layer = tf.keras.layers.RandomRotation(15 / 360)
""",
)

SCRIPTS["ImageDataGenerator and predictions"] = (
    """
from tensorflow.keras.preprocessing.image import ImageDataGenerator  #! gone
from tensorflow.keras.applications.mobilenet_v2 import MobileNetV2, preprocess_input

datagen = ImageDataGenerator(  #! scaled-twice, radians?
    rescale=1.0 / 255,
    preprocessing_function=preprocess_input,
    rotation_range=20,
    shear_range=0.2,
    horizontal_flip=True,
    validation_split=0.2,
)
train = datagen.flow_from_directory("photos", target_size=(224, 224), subset="training")  #! unseeded
val = datagen.flow_from_directory("photos", target_size=(224, 224), subset="validation")  #! validation-augmented
test = ImageDataGenerator(rescale=1.0 / 255).flow_from_directory("test", target_size=(224, 224))
model = MobileNetV2(weights=None)
model.fit(train, validation_data=val)  #! validation-augmented
names = test.filenames
scores = model.predict(test)  #! predictions-shuffled
""",
    """
import offgraph as og
from tensorflow.keras.applications.mobilenet_v2 import MobileNetV2

recipe = og.Compose([
    og.Resize((224, 224)),
    og.Augment(og.Rotate((-20, 20)), og.Affine(shear=(-0.2, 0.2)), og.Flip("X", p=0.5)),
    og.Rescale(1 / 127.5, -1),
])
train, val = og.split("photos", val=0.2, seed=7)
model = MobileNetV2(weights=None)
model.fit(og.Loader(train, recipe, seed=7).tensorflow(), validation_data=og.Loader(val, recipe.eval()).tensorflow())
og.save(model, recipe, "model.keras")
scores = list(og.predict("model.keras", "test"))
""",
)

SCRIPTS["masks beside images in two generators"] = (
    """
import tensorflow as tf

image_datagen = tf.keras.preprocessing.image.ImageDataGenerator(rotation_range=90, zoom_range=0.2)  #! gone
mask_datagen = tf.keras.preprocessing.image.ImageDataGenerator(rotation_range=90, zoom_range=0.2)  #! gone, mask-interpolated
image_flow = image_datagen.flow_from_directory("data/images", class_mode=None, seed=1)
mask_flow = mask_datagen.flow_from_directory("data/masks", class_mode=None, seed=2)
train = zip(image_flow, mask_flow)  #! pairs-out-of-step
""",
    """
import offgraph as og

source = og.open_source("data/images", masks="data/masks")
recipe = og.Compose([og.Resize((256, 256)), og.Augment(og.Rotate((-90, 90)), og.Scale((0.8, 1.2)))])
train = og.Loader(source, recipe, seed=1).tensorflow()
""",
)

SCRIPTS["tf.data with SciPy inside"] = (
    """
import glob
import numpy as np
import scipy.ndimage
import tensorflow as tf

def transform(image):
    image = scipy.ndimage.gaussian_filter(image, sigma=1)  #! channels-filtered?
    image = scipy.ndimage.zoom(image, (2, 2, 1), order=1)  #! corner-grid
    return image

def load(path):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)  #! exif
    image = tf.image.resize(image, (256, 256))  #! aliasing?
    image = tf.image.random_flip_left_right(image)  #! unseeded
    image = tf.numpy_function(transform, [image], tf.float32)  #! py-function
    return image / 255.0

def load_mask(path):
    mask = tf.io.decode_png(tf.io.read_file(path), channels=1)
    return tf.image.resize(mask, (256, 256))  #! mask-interpolated

files = tf.data.Dataset.from_tensor_slices(sorted(glob.glob("photos/*.jpg")))
dataset = files.map(load).shuffle(100).batch(32)
""",
    """
import glob
import tensorflow as tf
import offgraph as og

recipe = og.Compose([
    og.Resize((256, 256)),
    og.GaussianFilter(1),
    og.Augment(og.Flip("X", p=0.5)),
    og.Rescale(1 / 255),
])
dataset = og.Loader("photos", recipe, batch_size=32, shuffle=True, seed=7).tensorflow()

tf.random.set_seed(7)

def load_mask(path):
    mask = tf.io.decode_png(tf.io.read_file(path), channels=1)
    return tf.image.resize(mask, (256, 256), method="nearest")

def load(path):
    image = tf.io.decode_png(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, (256, 256), antialias=True)
    return tf.image.random_flip_left_right(image) / 255.0

masks = tf.data.Dataset.from_tensor_slices(sorted(glob.glob("masks/*.png"))).map(load_mask).shuffle(100)
""",
)

SCRIPTS["trained on one scale, served on another"] = (
    """
import numpy as np
from tensorflow import keras
from tensorflow.keras.utils import img_to_array, load_img

def prepare(path):
    image = load_img(path, target_size=(160, 160))  #! exif?, aliasing
    return img_to_array(image) / 255.0

x = np.array([prepare(path) for path in ["a.jpg", "b.jpg"]])
y = np.array([0, 1])
model = keras.Sequential([keras.layers.Rescaling(1.0 / 255), keras.layers.Dense(2)])
model.fit(x, y, epochs=3)  #! scaled-twice

def serve(path):
    image = img_to_array(load_img(path, target_size=(160, 160)))  #! exif?, aliasing
    return model.predict(np.expand_dims(image, 0))  #! skew

again = x / 255  #! scaled-twice
""",
    """
import numpy as np
from tensorflow import keras
import offgraph as og

recipe = og.Compose([og.Resize((160, 160)), og.Rescale(1 / 255)])
model = keras.Sequential([keras.layers.Dense(2)])
model.fit(og.Loader("photos", recipe).tensorflow(), epochs=3)
og.save(model, recipe, "model.keras")
x = og.imread("a.png", color="rgb") / 255
model.fit(np.array([x]), np.array([0]))
model.predict(np.array([x]))
""",
)

SCRIPTS["microscopy in 16 bits"] = (
    """
import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import filters, label  #! gone
from scipy.ndimage.interpolation import zoom  #! gone
import tifffile

cells = cv2.imread("cells.tif", cv2.IMREAD_GRAYSCALE)  #! depth
other = Image.open("cells.tif").convert("L")  #! exif?, depth?
stack = tifffile.imread("stack.tif").astype(np.uint16)
eight = stack.astype(np.uint8)  #! depth
smooth = filters.gaussian_filter(cells, 2)  #! gone
half = zoom(smooth, 0.5, order=1)  #! corner-grid
labels_mask, count = label(half > 100)
large_mask = zoom(labels_mask, 2, order=1)  #! corner-grid, mask-interpolated
soft_mask = filters.gaussian_filter(labels_mask, 1)  #! gone, mask-filtered
tiled = zoom(cells, 2, order=1, mode="wrap", grid_mode=True)  #! wrap-mode
dark = zoom(cells, 2, order=1, grid_mode=True)  #! grid-border
""",
    """
import cv2
import numpy as np
import offgraph as og
from scipy import ndimage as ndi

cells = og.imread("cells.tif")
again = cv2.imread("cells.tif", cv2.IMREAD_ANYDEPTH)
grey = again.astype(np.float32)
if grey.ndim == 2:
    smooth = ndi.gaussian_filter(grey, 2)
    labels_mask, count = ndi.label(smooth > 100)
    large_mask = ndi.zoom(labels_mask, 2, order=0, grid_mode=True, mode="nearest")
    shown = ndi.zoom(smooth, 0.5, order=1, grid_mode=True, mode="grid-wrap")
""",
)

SCRIPTS["a dataset class with batches"] = (
    """
import random
import numpy as np
import scipy.ndimage as nd
from sklearn.model_selection import train_test_split
from skimage.io import imread
from skimage.transform import resize

class Photos:
    def __init__(self, paths):
        self.images = np.stack([imread(p) for p in paths])  #! exif?

    def smooth(self):
        return nd.uniform_filter(self.images, 5)  #! batch-filtered, channels-filtered?

    def moved(self):
        image = self.images[0]
        if random.random() < 0.5:  #! unseeded
            image = nd.shift(image, 4, order=1)  #! channels-shifted?
        return resize(image, (64, 64)) / 255  #! scaled-twice

    def masks(self, paths):
        return [resize(imread(p), (64, 64)) for p in paths]  #! mask-interpolated

train, test = train_test_split(["a.jpg", "b.jpg"])  #! unseeded
photos = Photos(train)
""",
    """
import random
import numpy as np
import scipy.ndimage as nd
import offgraph as og
from sklearn.model_selection import train_test_split
from skimage.transform import resize

random.seed(7)

class Photos:
    def __init__(self, paths):
        self.images = np.stack([og.imread(p, color="rgb") for p in paths])

    def smooth(self):
        return nd.uniform_filter(self.images, (1, 5, 5, 1))

    def moved(self):
        image = self.images[0]
        if random.random() < 0.5:
            image = nd.shift(image, (4, 4, 0), order=1)
        return resize(image, (64, 64))

    def masks(self, paths):
        return [resize(og.imread(p), (64, 64), order=0, preserve_range=True) for p in paths]

train, test = train_test_split(["a.jpg", "b.jpg"], random_state=7)
""",
)

SCRIPTS["half of a photograph, turned by a random angle"] = (
    """
import random
import cv2
import numpy as np
import scipy.ndimage as ndi
import tensorflow as tf

random.seed(7)
image = cv2.imread("photo.png")  #! bgr
small = cv2.resize(image, (image.shape[0] // 2, image.shape[1] // 2))  #! size-order, aliasing?
h, w = image.shape[:2]
tiny = cv2.resize(image, (int(h * 0.25), int(w * 0.25)), interpolation=cv2.INTER_AREA)  #! size-order
turned = ndi.rotate(image, random.uniform(-0.3, 0.3), reshape=False, order=1)  #! radians?
again = ndi.rotate(image, (random.random() - 0.5) * 0.9, reshape=False, order=1)  #! radians?
th = 30
turn = np.array([[np.cos(th), -np.sin(th)], [np.sin(th), np.cos(th)]])  #! degrees?
th = random.randint(-20, 20)
row = np.cos(th)  #! degrees?
files = tf.io.gfile.glob("images/*.png")
for name, mask in zip(files, sorted(tf.io.gfile.glob("masks/*.png"))):  #! unsorted
    print(name, mask)
""",
    """
import random
import cv2
import numpy as np
import offgraph as og
import scipy.ndimage as ndi

random.seed(7)
image = cv2.cvtColor(cv2.imread("photo.png"), cv2.COLOR_BGR2RGB)
small = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
h, w = image.shape[:2]
tiny = cv2.resize(image, (int(w * 0.25), int(h * 0.25)), interpolation=cv2.INTER_AREA)
square = cv2.resize(image, (h - 2, h // 2), interpolation=cv2.INTER_AREA)
turned = ndi.rotate(image, random.uniform(-17, 17), reshape=False, order=1)
barely = ndi.rotate(image, random.uniform(-1, 1), reshape=False, order=1)
again = ndi.rotate(image, (random.random() - 0.5) * 50, reshape=False, order=1)
th = np.deg2rad(30)
turn = np.array([[np.cos(th), -np.sin(th)], [np.sin(th), np.cos(th)]])
th = random.randint(-20, 20) * np.pi / 180
row = np.cos(th) + np.sin(random.uniform(-3, 3))
noisy = np.clip(image + random.uniform(-20, 20), 0, 255).astype(np.uint8)
source = og.open_source("images/", masks="masks/")
""",
)

SCRIPTS["scans, and files of 16 bits"] = (
    """
import glob
import nibabel as nib
import numpy as np
import skimage.io as io
import tifffile
from scipy.ndimage import gaussian_filter, zoom

volume = nib.load("scan.nii.gz").get_fdata()
seg = nib.load("seg.nii.gz").get_fdata()
volume = zoom(volume, 2)  #! corner-grid, spline
seg = zoom(seg, 2, grid_mode=True, mode="nearest")  #! mask-interpolated
stack = [tifffile.imread(f).astype("uint8") for f in sorted(glob.glob("cells/*.tif"))]  #! depth?
for f in glob.glob("cells/*.tif"):
    cells = np.uint8(io.imread(f))  #! depth?, exif?
labels = np.load("labels.npy")
labels = gaussian_filter(labels, 1)  #! mask-filtered?
labels = np.load("labels.npy")
labels = zoom(labels, 2, grid_mode=True, mode="nearest")  #! mask-interpolated?
""",
    """
import glob
import nibabel as nib
import numpy as np
import offgraph as og
import tifffile
from scipy.ndimage import gaussian_filter, zoom

volume = nib.load("scan.nii.gz").get_fdata()
volume = gaussian_filter(volume, 2)
recipe = og.Compose([og.Resize((64, 64, 64)), og.PercentileNormalize(0.5, 99.5)])
stack = [(tifffile.imread(f) / 257).astype("uint8") for f in sorted(glob.glob("cells/*.tif"))]
high = [(tifffile.imread(f) >> 8).astype("uint8") for f in sorted(glob.glob("cells/*.tif"))]
labels = np.load("labels.npy")
labels = zoom(labels, 2, order=0, grid_mode=True, mode="nearest")
counts = np.bincount(labels.ravel())
""",
)

SCRIPTS["a model that is served without its division"] = (
    """
import keras
import numpy as np
from PIL import Image, ImageOps

model = keras.models.load_model("net.keras")
x = np.load("x.npy").astype("float32") / 255.0
y = np.load("y.npy")
model.fit_generator(x, y)  #! gone

def predict(path):
    image = ImageOps.exif_transpose(Image.open(path)).resize((224, 224))
    return model.predict_classes(np.asarray(image)[None])  #! gone, skew
""",
    """
import keras
import numpy as np
import offgraph as og
from PIL import Image, ImageOps

model = keras.models.load_model("net.keras")
x = np.load("x.npy").astype("float32") / 255.0
y = np.load("y.npy")
model.fit(x, y)
og.save(model, [og.Resize((224, 224)), og.Rescale(1 / 255)], "served.keras")

def predict(path):
    image = ImageOps.exif_transpose(Image.open(path)).resize((224, 224))
    return model.predict(np.asarray(image)[None] / 255.0)
""",
)

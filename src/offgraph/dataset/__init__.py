"""The offline job: a folder of files, through a recipe, to a dataset on the disk.

A dataset, and who writes each part of it::

    build.json             the job: recipe, options, versions, listing of the source     job.py
    images/ masks/         images and label masks, format="folder"                     folder.py
    labels.csv             path, label, mask, source and copy of each                    folder.py
    data-*-of-*.tfrecord   tf.train.Example records, format="tfrecord"                   tfrecord.py
    data-*-of-*.arrow      tensors and columns, format="arrow"                           arrow.py
    data-*-of-*.tar, .idx  members of webdataset, format="webdataset"                    webdataset.py
    features.json          what each feature of an example means                         tfrecord.py
    samples/*.jsonl        one line per example: where it lies, what was drawn; the journal records.py
    quarantine.csv         images that could not be used, and why                      records.py
    manifest.json          written last: with it, the dataset is whole                   records.py

A new output format is a class with the methods of ``formats.DatasetFormat`` and a line in ``formats.FORMATS``.
"""

from offgraph.dataset.builder import build
from offgraph.dataset.built import BuiltDataset
from offgraph.dataset.report import BuildReport

__all__ = ["BuildReport", "BuiltDataset", "build"]

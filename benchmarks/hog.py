"""What faces are worth without a network: HOG and a linear SVM on CK+48, in ten folds of people.

    python benchmarks/hog.py CK+48 --out benchmarks/results/ckplus_hog.json

Each fold's SVM is fitted on training and validation together, at C = 1, which nothing was chosen by.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from papers import CK
from real_faces import commit, faces_of
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from ferline.artifact import scratch_folder, write_json
from ferline.params import DatasetParams, FaceParams

SIDE = 48
HOG = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ckplus", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    dataset = DatasetParams("ckplus", "subject", folds=10, emotions=CK)
    faces = faces_of("ckplus", given.ckplus, dataset, FaceParams(side=SIDE, colour="grey"), scratch_folder() / "faces")
    features = np.stack([HOG.compute(image[..., 0]).ravel() for image in faces.images])
    accuracies, right = [], 0
    for fold in range(dataset.folds):
        test = faces.fold(fold).rows("test")
        known = np.setdiff1d(np.arange(len(faces)), test)
        classifier = make_pipeline(StandardScaler(), LinearSVC(random_state=0, max_iter=20_000))
        hits = classifier.fit(features[known], faces.labels[known]).predict(features[test]) == faces.labels[test]
        accuracies.append(float(hits.mean()))
        right += int(hits.sum())
    found = {
        "faces": len(faces),
        "accuracy": right / len(faces),
        "mean": float(np.mean(accuracies)),
        "sd": float(np.std(accuracies, ddof=1)),
        "features": features.shape[1],
        "dataset": asdict(dataset),
        "data_digest": faces.origin["data_digest"],
        "commit": commit(),
    }
    write_json(given.out, found)
    print({key: found[key] for key in ("faces", "accuracy", "mean", "sd")})


if __name__ == "__main__":
    main()

"""What the five papers say they reach: every number as printed, with the place in the paper where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# The papers' word for a metric, and what it is called here. Precision, recall and F1 are macro averages here,
# sensitivity is recall by definition, specificity is one against the rest; the papers do not say how they average.
METRICS: Mapping[str, str] = {
    "accuracy": "accuracy",
    "precision": "macro_precision",
    "recall": "macro_recall",
    "F1": "macro_f1",
    "sensitivity": "macro_sensitivity",
    "specificity": "macro_specificity",
}


@dataclass(frozen=True)
class Claim:
    """One line of a paper's results, in per cent and as printed. `sets`: what the raw set is called here."""

    what: str
    sets: tuple[str, ...]
    numbers: Mapping[str, str]
    where: str
    split: str = "test"  # which of ours stands beside it
    optimiser: str | None = None  # of training, where the paper compares several

    def fits(self, dataset: str, optimiser: str) -> bool:
        """Whether a run on that set, trained with that optimiser, may stand beside it."""
        named = any(dataset == name or dataset.startswith((f"{name}_", f"{name}-")) for name in self.sets)
        return named and self.optimiser in (None, optimiser)


@dataclass(frozen=True)
class Paper:
    """`notes`: what a reader of its numbers should know, from the paper's own text."""

    key: str
    title: str
    authors: str
    data: str
    split: str
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def by_optimiser(self) -> bool:
        return any(claim.optimiser for claim in self.claims)


PAPERS: tuple[Paper, ...] = (
    Paper(
        "resnet50_gru",
        "ResNet50 and GRU: A Synergistic Model for Accurate Facial Emotion Recognition",
        "Shanimol A, J Charles",
        "CK+ as on Kaggle: 920 images, 48 × 48, grey, cut out by a Haar cascade",
        "not described",
        (
            Claim(
                "CK+",
                ("ckplus",),
                {"accuracy": "95.56", "precision": "94.58", "recall": "96.05", "F1": "95.07"},
                "section IV, at figure 10; the accuracy also in the abstract and in table II",
            ),
        ),
        (
            "The images are neighbouring frames of the same videos. The paper does not say which of them were tested, "
            "nor that a person was kept on one side.",
            "Its curve begins at an accuracy of 98.74 % and ends at 100 % (section IV, at figure 7), above the "
            "figures of its table; of which images, is not said.",
        ),
    ),
    Paper(
        "cnn_lstm",
        "An Approach in Deep Learning Using Recurrent Neural Networks and Convolutional Neural Networks for Facial "
        "Expression Identification",
        "A. I. Abdullahi, Y. M. Malgwi, Y. H. Zali, U. Mohammed",
        "FERPlus, seven emotions, 48 × 48 (the results section says 224 × 224)",
        "not described",
        (Claim("FERPlus", ("ferplus",), {}, "curves in figures 4.9 and 4.10, a confusion matrix in figure 4.12"),),
        (
            "It names accuracy, precision, recall and F1 as its measures (section E) and prints a number for none of "
            "them.",
        ),
    ),
    Paper(
        "cnn_lstm_svm",
        "Hybrid of CNN and RNN features with an SVM classifier",
        "Authors not named in the text at hand",
        "EMOTIC, FER-13 (FER2013) and FERG",
        "80 / 10 / 10 % of each set",
        (
            Claim("FER-13", ("fer2013",), {"accuracy": "94.08"}, "tables 4 and 5"),
            Claim("EMOTIC", ("emotic",), {"accuracy": "72.64"}, "table 4"),
            Claim("FERG", ("ferg",), {"accuracy": "68.10"}, "table 4"),
        ),
        (
            "Each of the three is the mean of the seven recalls on the diagonal of its confusion matrix (tables 1 to "
            "3): a balanced accuracy, to be held against recall.",
        ),
    ),
    Paper(
        "resnet50_resnet34",
        "Performance Facial Expression Recognition Using Hybrid of ResNet50 and ResNet34 Deep Learning Models",
        "Sarita Sharma, Nirupama Tiwari",
        "FER2013, 35,887 images, 48 × 48",
        "28,709 / 3,589 / 3,589",
        (
            Claim(
                "FER2013, SGDM",
                ("fer2013",),
                {
                    "accuracy": "98.19",
                    "precision": "98.14",
                    "recall": "97.26",
                    "sensitivity": "97.26",
                    "specificity": "97.15",
                },
                "table 1",
                optimiser="sgd",
            ),
            Claim(
                "FER2013, Adam",
                ("fer2013",),
                {
                    "accuracy": "98.23",
                    "precision": "97.25",
                    "recall": "96.25",
                    "sensitivity": "96.23",
                    "specificity": "98.23",
                },
                "table 1",
                optimiser="adam",
            ),
            Claim(
                "FER2013, RMSprop",
                ("fer2013",),
                {
                    "accuracy": "98.24",
                    "precision": "97.85",
                    "recall": "98.21",
                    "sensitivity": "96.25",
                    "specificity": "96.23",
                },
                "table 1",
                optimiser="rmsprop",
            ),
        ),
        (
            "By its own formula (3) recall and sensitivity are one number; two of its three lines print two.",
            "Its specificities cannot belong to its accuracies: of FER2013's test faces, 98.19 % told right leave a "
            "mean one-against-the-rest specificity of at least 99.6 %.",
            "The abstract gives 98.19 % for the validation set; table 1 names no split.",
        ),
    ),
    Paper(
        "resnet50_transfer",
        "Emotion Detection from Facial Expressions",
        "Hazem Alsagheer, Chintan Shah, Vasu Patel",
        "RAF-DB as on Kaggle: 15,339 images",
        "12,279 / 1,530 / 1,530, drawn image by image",
        (
            Claim("RAF-DB, test", ("rafdb",), {"accuracy": "78.3"}, "section IV"),
            Claim("RAF-DB, validation", ("rafdb",), {"accuracy": "81"}, "section IV, at figure 2", "validation"),
            Claim("RAF-DB, training", ("rafdb",), {"accuracy": "90"}, "section IV, at figure 2", "train"),
        ),
        (
            "Precision, recall and F1 are in pictures only (figures 3 and 4).",
            "Our training accuracy is of the epoch that was kept, under augmentation and dropout.",
        ),
    ),
)

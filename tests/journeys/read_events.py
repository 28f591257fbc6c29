"""Prints as JSON what TensorBoard finds in a folder of event files."""

import json
import sys

from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator

ALL = {"scalars": 0, "histograms": 0, "images": 0, "compressedHistograms": 0}
run = event_accumulator.EventAccumulator(sys.argv[1], size_guidance=ALL)
run.Reload()
tags = run.Tags()
# The reader behind the server, which has its own rules for what a resumed run replaces.
served = plugin_event_accumulator.EventAccumulator(sys.argv[1])
served.Reload()
print(
    json.dumps(
        {
            "served": {
                tag: [e.step for e in served.Tensors(tag)] for tag in served.Tags()["tensors"]
            },
            "file_version": run.file_version,
            "scalars": {
                tag: [[e.step, e.value, e.wall_time] for e in run.Scalars(tag)]
                for tag in tags["scalars"]
            },
            "histograms": {
                tag: [
                    {
                        "step": e.step,
                        "moments": [
                            e.histogram_value.min,
                            e.histogram_value.max,
                            e.histogram_value.num,
                            e.histogram_value.sum,
                            e.histogram_value.sum_squares,
                        ],
                        "limits": list(e.histogram_value.bucket_limit),
                        "counts": list(e.histogram_value.bucket),
                    }
                    for e in run.Histograms(tag)
                ]
                for tag in tags["histograms"]
            },
            # The weights at 0 to 100 % of the distribution, as the Distributions page draws them.
            "distributions": {
                tag: [
                    [list(point) for point in e.compressed_histogram_values]
                    for e in run.CompressedHistograms(tag)
                ]
                for tag in tags["distributions"]
            },
            "images": {
                tag: [
                    [e.step, e.width, e.height, e.encoded_image_string.hex()]
                    for e in run.Images(tag)
                ]
                for tag in tags["images"]
            },
        }
    )
)

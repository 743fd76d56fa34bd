"""Edits a grid as MDIO's users do, and exports it with MDIO: arguments are the grid, its file, and the file to write."""
import sys
import warnings

import mdio
from segy.standards import get_segy_standard

warnings.simplefilter("ignore")
grid, source, back = sys.argv[1:]
card = "C 1 EDITED WITH MDIO".ljust(80)
text = "\n".join([card] + [f"C{i:2}".ljust(80) for i in range(2, 41)])
mdio.update_segy_file_headers(grid, text_header=text, binary_header={"job_id": 4711})
mdio.update_crs(grid, "EPSG:23031")
mdio.mdio_to_segy(segy_spec=get_segy_standard(1.0), input_path=grid, output_path=back)
found, original = (open(path, "rb").read() for path in (back, source))
assert found[3600:] == original[3600:], "the traces differ"
assert found[:3200].decode("cp500").startswith(card), found[:80]
assert int.from_bytes(found[3200:3204], "big") == 4711
dataset = mdio.open_mdio(grid)
assert "crs" in str(dataset.attrs), dataset.attrs

"""check_mdio_ingestion.py SEGY ARRAY STORE: MDIO ingests the file, and finds the samples of the array."""

import sys

import mdio
import numpy as np
import xarray as xr
from mdio import segy_to_mdio
from mdio.builder.template_registry import TemplateRegistry
from segy.schema import HeaderField
from segy.standards import get_segy_standard


def main(back, array, store):
    fields = [("inline", 189), ("crossline", 193), ("cdp_x", 181), ("cdp_y", 185), ("coordinate_scalar", 71)]
    spec = get_segy_standard(1.0).customize(
        trace_header_fields=[HeaderField(name=n, byte=b, format="int16" if b == 71 else "int32") for n, b in fields]
    )
    segy_to_mdio(
        segy_spec=spec,
        mdio_template=TemplateRegistry().get("PostStack3DTime"),
        input_path=back,
        output_path=store,
        overwrite=True,
    )
    found = mdio.open_mdio(store).amplitude
    wanted = xr.open_zarr(array.rpartition("/")[0], consolidated=False).amplitude
    live = found.sel(inline=wanted.inline, crossline=wanted.crossline)
    assert found.sizes["inline"] * found.sizes["crossline"] == 12 and found.sizes["time"] == wanted.sizes["time"]
    np.testing.assert_allclose(live.values, wanted.transpose("inline", "crossline", "time").values, rtol=1e-6)
    print("all agree")


if __name__ == "__main__":
    main(*sys.argv[1:])

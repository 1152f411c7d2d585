import ij.IJ;
import ij.ImagePlus;
import ij.gui.Roi;
import ij.io.RoiDecoder;
import java.io.FileInputStream;
import java.util.Locale;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * Opens pairs of an image and a zip of regions with ImageJ, and prints of each region its name, its place in the
 * stack (one number, channel, slice, frame), and the number and the mean value of its pixels there.
 *
 * ImageJ's ROI Manager, which reads zips in this way, needs a screen.
 */
public class OpenRegions {
    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i < arguments.length; i += 2) {
            ImagePlus image = IJ.openImage(arguments[i]);
            try (ZipInputStream zip = new ZipInputStream(new FileInputStream(arguments[i + 1]))) {
                for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                    Roi region = new RoiDecoder(zip.readAllBytes(), entry.getName()).getRoi();
                    if (region.hasHyperStackPosition()) {
                        image.setPosition(region.getCPosition(), region.getZPosition(), region.getTPosition());
                    } else if (region.getPosition() > 0) {
                        image.setSlice(region.getPosition());
                    }
                    image.setRoi(region);
                    System.out.printf(Locale.ROOT, "%s %d %d %d %d %d %.3f%n", region.getName(),
                        region.getPosition(), region.getCPosition(), region.getZPosition(), region.getTPosition(),
                        image.getStatistics().pixelCount, image.getStatistics().mean);
                }
            }
        }
    }
}

import ij.measure.ResultsTable;
import java.util.Locale;

/** Opens tables with ImageJ and prints of each its number of rows, its columns, and the mean of one column. */
public class OpenTable {
    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i < arguments.length; i += 2) {
            ResultsTable table = ResultsTable.open(arguments[i]);
            System.out.println(table.getCounter());
            System.out.println(String.join(" ", table.getHeadings()));
            double sum = 0;
            for (int row = 0; row < table.getCounter(); row++) {
                sum += table.getValue(arguments[i + 1], row);
            }
            System.out.printf(Locale.ROOT, "%.4f%n", sum / table.getCounter());
        }
    }
}
